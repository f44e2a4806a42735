// expect: error script RangeError
// message: Maximum call stack size exceeded
// A script's own error with the same text hit no limit.
throw new RangeError("Maximum call stack size exceeded");
