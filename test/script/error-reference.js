// expect: error script ReferenceError
// message: missing
// stack: error-reference.js:4:
missing + 1;
