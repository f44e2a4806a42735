// expect: error script RangeError
// message: from a microtask
// seconds: 3
// leaks: timer
queueMicrotask(() => { throw new RangeError("from a microtask"); });
await sleep(20000);
