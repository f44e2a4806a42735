// expect: error script RangeError
// message: from a timer
// stack: throw-in-timer.js:5:
// seconds: 3
setTimeout(() => { throw new RangeError("from a timer"); }, 5);
await sleep(20000);
