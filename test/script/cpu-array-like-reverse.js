// args: --cpu-ms 200
// expect: limit cpu
// engines: wasm
Array.prototype.reverse.call({ length: 2 ** 53 - 1 });
