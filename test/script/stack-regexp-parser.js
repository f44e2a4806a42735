// expect: value ["groups","classes","lookaheads","quantified"]
const n = 50000;
const patterns = {
  groups: "(".repeat(n) + ")".repeat(n),
  classes: "[".repeat(n),
  lookaheads: "(?=".repeat(n) + ")".repeat(n),
  quantified: "(?:".repeat(n) + "a" + ")*".repeat(n),
};
const survived = [];
for (const name in patterns) {
  try {
    new RegExp(patterns[name]).test("aaaa");
    survived.push(name);
  } catch (error) {
    survived.push(
      error instanceof SyntaxError || error instanceof RangeError ? name : `${name}: ${error}`,
    );
  }
}
survived;
