// expect: error script RangeError
// message: behind a proxy
throw new Proxy(new RangeError("behind a proxy"), {});
