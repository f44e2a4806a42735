// expect: error script
// message: null
// leaks: timer
setTimeout(() => { throw null; }, 1);
await sleep(20000);
