// expect: value ["first",1]
// The functions it was given do nothing any more.
let kept;
const value = await { then(resolve) { kept = resolve; resolve("first"); } };
kept("second");
[value, 1];
