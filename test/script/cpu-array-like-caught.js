// args: --cpu-ms 200
// expect: limit cpu
// engines: wasm
try {
  Array.prototype.lastIndexOf.call({ length: 2 ** 53 - 1 }, 1);
} catch {}
1;
