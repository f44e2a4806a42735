// expect: error deadlock
// seconds: 2
await new Promise(() => {});
export default 1;
