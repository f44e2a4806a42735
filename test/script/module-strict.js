// expect: error script ReferenceError
// Modules are strict code.
undeclared = 1;
export default 1;
