// args: --allow notes.get
// expect: value [true,true,"[object Promise]",true]
const promise = notes.get("apple");
const result = [
  promise instanceof Promise,
  promise.constructor === Promise,
  String(promise),
  Object.getPrototypeOf(promise) === Promise.prototype,
];
await promise;
result;
