// expect: value {}
// A generator object is not awaited and has no own properties.
function* main() { yield 1; }
