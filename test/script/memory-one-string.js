// args: --memory-mib 16
// expect: limit memory
"x".repeat(2 ** 29).length;
