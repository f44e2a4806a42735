// args: --cpu-ms 200
// expect: limit cpu
// engines: wasm
for (let n = 3n; ; n = n ** 2n % (2n ** 200000n - 1n)) if (n === 0n) n = 3n;
