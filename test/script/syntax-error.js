// expect: error script SyntaxError
// stack: syntax-error.js:4:
const fine = 1;
const broken = ;
