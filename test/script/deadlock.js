// expect: error deadlock
// seconds: 2
await new Promise(() => {});
