// expect: error script RangeError
// message: third
// seconds: 3
// leaks: timer*
let count = 0;
setInterval(() => { if (++count === 3) throw new RangeError("third"); }, 1);
await sleep(20000);
