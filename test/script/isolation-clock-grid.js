// expect: value true
// Nor does it tell where in a step the run began.
let whole = true;
for (const end = Date.now() + 20; Date.now() < end;) whole &&= Number.isInteger(performance.now());
whole;
