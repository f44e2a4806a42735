// args: --memory-mib 16
// expect: limit memory
const kept = [];
for (let i = 0; ; i++) kept.push("x".repeat(100000) + i);
