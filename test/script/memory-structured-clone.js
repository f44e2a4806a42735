// args: --memory-mib 16
// expect: limit memory
let value = [1, 2, 3, 4];
for (;;) value = [structuredClone(value), value];
