// expect: error script RangeError
// message: the cause
// seconds: 2
// The rejection tells more than the deadlock it led to.
Promise.reject(new RangeError("the cause"));
await new Promise(() => {});
