// expect: value 1
await { then(resolve) { resolve(1); throw new Error("too late"); } };
