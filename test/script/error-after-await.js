// expect: error script RangeError
// stack: work (error-after-await.js:6:

async function work() {
  await sleep(1);
  throw new RangeError("after the wait");
}
async function main() {
  await work();
}
