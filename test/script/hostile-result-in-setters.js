// expect: value {"a":[1,2],"m":{"k":1},"s":[3],"d":"1970-01-01T00:00:00.000Z","b":"AQ=="}
// Encoding the value calls nothing that was replaced.
const fail = () => {
  throw new Error("replaced");
};
const value = {
  a: [1, 2],
  m: new Map([["k", 1]]),
  s: new Set([3]),
  d: new Date(0),
  b: new Uint8Array([1]),
};
const prototypes = [
  Array.prototype,
  Map.prototype,
  Set.prototype,
  Date.prototype,
  Object.getPrototypeOf(Uint8Array.prototype),
];
for (let i = 0; i < prototypes.length; i++) {
  const keys = Reflect.ownKeys(prototypes[i]);
  for (let k = 0; k < keys.length; k++)
    if (keys[k] !== "constructor" && keys[k] !== "length")
      Object.defineProperty(prototypes[i], keys[k], { value: fail, configurable: true });
}
value;
