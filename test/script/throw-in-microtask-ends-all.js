// expect: error script RangeError
// not: ran on
// leaks: timer*2
// Nothing is executed after an uncaught exception.
queueMicrotask(() => { throw new RangeError("the end"); });
queueMicrotask(() => console.log("ran" + " on"));
setTimeout(() => console.log("ran" + " on"), 0);
await sleep(100);
console.log("ran" + " on");
