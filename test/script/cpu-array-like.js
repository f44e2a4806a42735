// args: --cpu-ms 200
// expect: limit cpu
// engines: wasm
// Natives over a length of 2**53-1 never look at the clock.
Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);
