// args: --allow notes.*
// expect: error api NotFoundError
// message: zebra
// operation: notes.get
// The error's class and text come through as well.
const { get } = notes;
const own = Reflect.ownKeys;
const describe = Object.getOwnPropertyDescriptor;
const define = Object.defineProperty;
const fail = function () {
  throw new Error("replaced");
};
const holders = [
  Error,
  Error.prototype,
  NotFoundError,
  NotFoundError.prototype,
  ApiError,
  ApiError.prototype,
  Object,
  Function.prototype,
  Promise,
  Promise.prototype,
  Map.prototype,
  WeakMap.prototype,
  Array.prototype,
  String.prototype,
  Reflect,
  globalThis,
];
for (let h = 0; h < holders.length; h++) {
  const keys = own(holders[h]);
  for (let k = 0; k < keys.length; k++) {
    const found = describe(holders[h], keys[k]);
    if (keys[k] === "constructor" || !found.configurable || typeof found.value !== "function")
      continue;
    define(holders[h], keys[k], { __proto__: null, value: fail, configurable: true });
  }
}
await get("zebra");
