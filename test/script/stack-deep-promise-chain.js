// expect: value 100000
let promise = Promise.resolve(0);
for (let i = 0; i < 100000; i++) promise = promise.then((n) => n + 1);
await promise;
