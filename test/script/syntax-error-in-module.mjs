// expect: error script SyntaxError
// stack: syntax-error-in-module.mjs:4:
export default 1 +;
