// expect: error script TypeError
await Promise.resolve(1).finally(() => { throw new TypeError("in finally"); });
