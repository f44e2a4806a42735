// expect: error script SyntaxError
// not: printed
console.log("prin" + "ted");
let a;
let a;
