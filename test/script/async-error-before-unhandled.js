// expect: error script RangeError
// message: the outcome
Promise.reject(new TypeError("nobody listens"));
throw new RangeError("the outcome");
