// args: --cpu-ms 200
// expect: limit cpu
// engines: wasm
// Long natives in a loop: the native engine looks at the clock every 10,000 calls.
const numbers = new Float64Array(1 << 20).map((_, i) => -i);
for (;;) numbers.slice().sort();
