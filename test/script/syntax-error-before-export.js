// expect: error script SyntaxError
// stack: syntax-error-before-export.js:3:
const b = {;
export const a = 1;
