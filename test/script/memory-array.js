// args: --memory-mib 16
// expect: limit memory
const list = [];
for (;;) list.push(list.length);
