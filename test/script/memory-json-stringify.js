// args: --memory-mib 16
// expect: limit memory
const piece = "x".repeat(100000);
JSON.stringify(Array.from({ length: 2000 }, () => piece)).length;
