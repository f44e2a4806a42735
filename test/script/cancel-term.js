// signal: TERM
// expect: cancelled
// stderr: ready
// leaks: timer
console.log("ready");
await sleep(20000);
