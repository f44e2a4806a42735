// args: --allow notes.get
// expect: value []
// No function of the host's JavaScript is reachable through what a script holds.
const found = [];
const seen = new Set();
const queue = [[globalThis, "globalThis"]];
while (queue.length) {
  const [object, path] = queue.shift();
  if (
    object === null ||
    (typeof object !== "object" && typeof object !== "function") ||
    seen.has(object)
  )
    continue;
  seen.add(object);
  for (const key of Reflect.ownKeys(object)) {
    const name = String(key);
    if (
      /hostLog|timerStart|makeError|errorOperation|fireTimer|brand|primordial|watchSignal/i.test(
        name,
      )
    )
      found.push(`${path}.${name}`);
    const { value, get } = Object.getOwnPropertyDescriptor(object, key);
    queue.push([value ?? null, `${path}.${name}`], [get ?? null, `${path}.${name}`]);
  }
}
found;
