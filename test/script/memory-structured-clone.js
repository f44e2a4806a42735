// args: --memory-mib 16
// expect: limit memory
const bytes = { list: [new Uint8Array(1 << 20)] };
const kept = [];
for (;;) kept.push(structuredClone(bytes));
