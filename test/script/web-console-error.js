// expect: value 1
// stderr: RangeError: shown
console.log(new RangeError("shown"));
1;
