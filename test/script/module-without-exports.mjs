// expect: value null
// A module has no completion value, and a main it keeps to itself is not called.
const main = () => 5;
6;
