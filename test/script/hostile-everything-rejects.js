// args: --allow notes.*
// expect: error api NotFoundError
// message: zebra
// operation: notes.get
// The error's class and text come through as well.
const get = notes.get, own = Reflect.ownKeys, describe = Object.getOwnPropertyDescriptor, define = Object.defineProperty;
const fail = function () { throw new Error("replaced"); };
for (const holder of [Error, Error.prototype, NotFoundError, NotFoundError.prototype, ApiError, ApiError.prototype, Object, Function.prototype, Promise, Promise.prototype, Map.prototype, WeakMap.prototype, Array.prototype, String.prototype, Reflect, globalThis])
  for (const key of own(holder)) {
    const found = describe(holder, key);
    if (found.configurable && typeof found.value === "function" && key !== "constructor" && key !== Symbol.iterator && key !== "next")
      define(holder, key, { __proto__: null, value: fail, configurable: true });
  }
await get("zebra");
