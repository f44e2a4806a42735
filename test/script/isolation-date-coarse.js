// expect: value true
// Whole milliseconds and no more, in all that tells the time.
let whole = true;
for (let i = 0; i < 1000; i++)
  whole &&= Number.isInteger(Date.now()) && Number.isInteger(+new Date());
whole;
