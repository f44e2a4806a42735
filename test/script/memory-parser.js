// args: --memory-mib 16
// expect: limit memory
eval(`[${"{a:1},".repeat(500000)}]`).length;
