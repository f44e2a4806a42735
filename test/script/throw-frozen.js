// expect: error script RangeError
// message: frozen
throw Object.freeze(new RangeError("frozen"));
