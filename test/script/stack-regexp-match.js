// expect: value "survived"
// Many steps back: kept on the heap.
try {
  /^(?:a|b)*c/.test("ab".repeat(100000));
  /^(?:(a)|b)*$/.exec("ab".repeat(100000));
} catch (error) {
  if (!(error instanceof RangeError)) throw error;
}
("survived");
