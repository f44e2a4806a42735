// args: --memory-mib 16
// expect: limit memory
new Array(1e8).fill(0).length;
