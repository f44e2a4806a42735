// expect: error script SyntaxError
// stack: syntax-error.js:5:
const fine = 1;
const broken = ;
