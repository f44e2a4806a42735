// expect: value 1
await { then(resolve, reject) { resolve(1); resolve(2); reject(new Error("too late")); } };
