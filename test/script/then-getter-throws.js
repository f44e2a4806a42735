// expect: error script RangeError
await { get then() { throw new RangeError("from the getter"); } };
