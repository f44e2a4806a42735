// expect: error script SyntaxError
// stack: syntax-error-column.js:4:14
  let a = 1; @ 2;
