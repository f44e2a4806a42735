// args: --cpu-ms 200
// expect: limit cpu
// engines: wasm
// One native call with a quadratic search.
("a".repeat(1 << 22) + "c").indexOf("a".repeat(1 << 21) + "b");
