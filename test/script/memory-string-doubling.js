// args: --memory-mib 16
// expect: limit memory
let text = "ab";
for (;;) text = (text + text).toUpperCase();
