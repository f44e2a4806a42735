// args: --allow notes.get
// expect: value ["Apple pie","[object Promise]",false]
const real = Promise;
globalThis.Promise = function () { throw new Error("replaced"); };
const call = notes.get("apple");
[(await call).title, String(call), call.constructor !== real];
