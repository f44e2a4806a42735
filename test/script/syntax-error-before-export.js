// expect: error script SyntaxError
// stack: syntax-error-before-export.js:4:
const b = {;
export const a = 1;
