// stdout: 3 TypeError
const words = new Int32Array(new SharedArrayBuffer(8));
Atomics.add(words, 0, 3);
let waited;
try { waited = Atomics.wait(words, 1, 0, 1); } catch (error) { waited = error.name; }
console.log(words[0], waited);
