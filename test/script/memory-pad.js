// args: --memory-mib 16
// expect: limit memory
"x".padEnd(2 ** 28, "ab").length;
