// expect: error script TypeError
// message: nobody listens
Promise.reject(new TypeError("nobody listens"));
1;
