// expect: error script SyntaxError
// stack: syntax-error-unterminated.js:
function f() { return `open ${1
