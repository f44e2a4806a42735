// args: --memory-mib 16
// expect: limit memory
const kept = [];
for (let i = 1n; ; i++) kept.push((1n << 200000n) + i);
