// args: --wall-ms 300
// expect: limit timeout
// engines: wasm
Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);
