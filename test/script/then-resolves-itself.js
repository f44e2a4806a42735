// expect: error script TypeError
let resolve;
const promise = new Promise((r) => { resolve = r; });
resolve(promise);
await promise;
