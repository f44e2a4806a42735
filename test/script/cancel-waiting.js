// signal: INT
// expect: cancelled
// stderr: ready
// pending: timer
// leaks: timer
console.log("ready");
await sleep(20000);
