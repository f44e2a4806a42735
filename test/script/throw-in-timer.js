// expect: error script RangeError
// message: from a timer
// stack: throw-in-timer.js:6:
// seconds: 3
// leaks: timer
setTimeout(() => { throw new RangeError("from a timer"); }, 5);
await sleep(20000);
