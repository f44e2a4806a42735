// expect: value [{"a":1},{"a":1}]
// What is referred to twice is no cycle.
const shared = { a: 1 };
[shared, shared];
