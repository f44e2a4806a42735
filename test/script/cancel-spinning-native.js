// signal: INT
// expect: cancelled
// stderr: ready
// engines: wasm
console.log("ready");
Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);
