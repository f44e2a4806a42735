// expect: error script RangeError
// message: no JSON of me
({ toJSON() { throw new RangeError("no JSON of me"); } });
