// What cannot be cloned is a DataCloneError, without running traps.
let ran = 0;
const traps = new Proxy({}, { get() { ran++; } });
function* generator() {}
const refused = [
  () => {}, class {}, Symbol("s"), Object(Symbol("s")), new Proxy({}, traps), new Proxy([], traps),
  new WeakMap(), new WeakSet(), Promise.resolve(),
  new WeakRef({}), generator(), [][Symbol.iterator](), new AbortController(),
  new AbortController().signal, new EventTarget(), new Event("x"), new TextDecoder(), new TextEncoder(), Math.max,
];
for (const value of refused) {
  throws(() => structuredClone(value), "DataCloneError");
  const error = throws(() => structuredClone({ a: [value] }), "DataCloneError");
  assert(error instanceof DOMException && error.code === 25, "DOMException");
}
same(ran, 0);
const detached = new Uint8Array(2);
detached.buffer.transfer();
throws(() => structuredClone(detached), "DataCloneError");
throws(() => structuredClone(detached.buffer), "DataCloneError");
same(throws(() => structuredClone({ get g() { throw new RangeError("mine"); } }), "RangeError").message, "mine");
