// expect: value "survived"
try {
  new RegExp("[".repeat(50000) + "]".repeat(50000), "v").test("a");
} catch (error) {
  if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
}
("survived");
