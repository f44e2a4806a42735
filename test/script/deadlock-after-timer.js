// expect: error deadlock
// seconds: 2
await sleep(5);
await new Promise(() => {});
