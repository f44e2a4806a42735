// args: --memory-mib 16
// expect: limit memory
Array.from({ length: 1e9 }).length;
