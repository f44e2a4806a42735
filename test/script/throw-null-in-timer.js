// expect: error script
// message: null
setTimeout(() => { throw null; }, 1);
await sleep(20000);
