// expect: error script RangeError
// message: from the promise
Promise.reject(new RangeError("from the promise"));
