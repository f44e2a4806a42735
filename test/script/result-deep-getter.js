// expect: limit result
const make = () => ({ get again() { return make(); } });
make();
