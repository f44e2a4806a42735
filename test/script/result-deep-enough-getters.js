// expect: size 997
// Getters and toJSON as deep as a value may be.
const make = (n) => (n === 0 ? 1 : { get a() { return { toJSON: () => make(n - 1) }; } });
make(166);
