// expect: value 30000
let promise = Promise.resolve(0);
for (let i = 0; i < 30000; i++) promise = promise.then((n) => n + 1);
await promise;
