// expect: error script RangeError
// message: from a microtask
// seconds: 3
queueMicrotask(() => { throw new RangeError("from a microtask"); });
await sleep(20000);
