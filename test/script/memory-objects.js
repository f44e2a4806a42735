// args: --memory-mib 16
// expect: limit memory
let head = null;
for (;;) head = { next: head, a: 1, b: 2 };
