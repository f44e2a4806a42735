// expect: error script RangeError
await { then() { throw new RangeError("from then"); } };
