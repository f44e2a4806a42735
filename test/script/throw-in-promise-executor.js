// expect: error script RangeError
await new Promise(() => { throw new RangeError("in the executor"); });
