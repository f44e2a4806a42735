// signal: INT
// expect: cancelled
// stderr: ready
// pending: timer
console.log("ready");
await sleep(20000);
