// args: --memory-mib 16
// expect: limit memory
let list = [1, 2, 3, 4];
for (;;) list = [...list, ...list];
