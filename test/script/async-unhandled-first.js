// expect: error script RangeError
// message: first
Promise.reject(new RangeError("first"));
Promise.reject(new TypeError("second"));
1;
