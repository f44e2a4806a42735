// expect: error script SyntaxError
// stack: syntax-error-in-detected-module.js:5:
// The place told is that of the error, not of the export that made it a module.
export const a = 1;
const b = {;
