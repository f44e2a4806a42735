// args: --memory-mib 16
// expect: limit memory
let text = "aa";
for (;;) text = text.replace(/a/g, "aa");
