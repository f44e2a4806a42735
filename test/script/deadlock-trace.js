// expect: error deadlock
// stack: at inner (deadlock-trace.js:8:
// stack: at outer (deadlock-trace.js:12:
// stack: at <eval> (deadlock-trace.js:14:
// seconds: 2
const gate = new Promise(() => {});
async function inner() {
  await gate;
}
async function outer() {
  await null;
  return await inner().then((value) => value);
}
await outer();
