// expect: error script
const error = new Error("x");
error.message = { toString() { throw 1; } };
error.name = 5;
error.stack = [];
throw error;
