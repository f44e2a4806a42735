// expect: size 1501
// The script's stack limit does not make values less deep.
const make = (n) => (n === 0 ? 1 : { get a() { return make(n - 1); } });
make(250);
