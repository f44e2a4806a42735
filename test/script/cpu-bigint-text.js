// args: --cpu-ms 200
// expect: limit cpu
// engines: wasm
let text = "";
for (let n = 7n ** 300000n; ; n += 1n) text = n.toString(10);
