// expect: error script SyntaxError
// stack: syntax-error-column.js:3:14
  let a = 1; @ 2;
