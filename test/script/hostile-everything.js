// args: --allow notes.*
// expect: value "Apple pie"
// Every function of every built-in is replaced by one that throws.
const get = notes.get,
  wait = sleep,
  own = Reflect.ownKeys,
  describe = Object.getOwnPropertyDescriptor,
  define = Object.defineProperty;
const fail = function () {
  throw new Error("replaced");
};
const names = own(globalThis),
  seen = new WeakSet(),
  has = seen.has.bind(seen),
  add = seen.add.bind(seen);
const queue = [globalThis];
let head = 0,
  tail = 1;
while (head < tail) {
  const object = queue[head++];
  if (object === fail || has(object)) continue;
  add(object);
  const keys = own(object);
  for (let i = 0; i < keys.length; i++) {
    const found = describe(object, keys[i]);
    if (!found || !("value" in found) || found.value === null) continue;
    const kind = typeof found.value;
    if (kind === "object" || kind === "function") queue[tail++] = found.value;
    if (kind === "function" && keys[i] !== "constructor" && found.configurable)
      define(object, keys[i], { __proto__: null, value: fail, configurable: true });
  }
}
await wait(1);
const note = await get("apple");
await wait(1);
note.title;
