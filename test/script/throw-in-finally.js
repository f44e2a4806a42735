// expect: error script TypeError
// message: second
try {
  throw new RangeError("first");
} finally {
  throw new TypeError("second");
}
