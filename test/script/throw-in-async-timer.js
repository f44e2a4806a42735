// expect: error script RangeError
setTimeout(async () => { throw new RangeError("an async callback"); }, 1);
await sleep(20);
