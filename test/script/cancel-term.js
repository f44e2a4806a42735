// signal: TERM
// expect: cancelled
// stderr: ready
console.log("ready");
await sleep(20000);
