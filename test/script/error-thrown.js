// expect: error script TypeError
// message: what went wrong
// stack: inner (error-thrown.js:9:
// stack: outer (error-thrown.js:12:
// stack: error-thrown.js:14:
// operation: none

function inner() {
  throw new TypeError("what went wrong");
}
function outer() {
  inner();
}
outer();
