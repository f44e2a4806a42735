// args: --memory-mib 16
// expect: limit memory
const kept = [];
for (;;) kept.push(new TextEncoder().encode("x".repeat(100000)));
