// args: --cpu-ms 200
// expect: limit cpu
// engines: wasm
Array.prototype.join.call({ length: 2 ** 53 - 1 }, "");
