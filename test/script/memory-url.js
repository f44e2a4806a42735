// args: --memory-mib 16
// expect: limit memory
// engines: wasm
// The parser, which is C++, runs out of memory in its middle.
new URL("https://h.org/" + "ü".repeat(2 << 20)).href.length;
