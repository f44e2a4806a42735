// expect: value "RangeError"
let f = () => 1;
for (let i = 0; i < 100000; i++) {
  f = f.bind(null);
  delete f.name;
}
try { f(); } catch (error) { error.name; }
