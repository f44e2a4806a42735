// args: --memory-mib 16
// expect: limit memory
let f = () => 1;
for (;;) { const g = f; f = () => g; }
