// expect: error script SyntaxError
// stack: syntax-error-in-module.mjs:3:
export default 1 +;
