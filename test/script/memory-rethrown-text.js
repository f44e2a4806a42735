// expect: error script RangeError
// message: out of memory
// The kind is told from the limit, not from the text of an exception.
throw new RangeError("out of memory");
