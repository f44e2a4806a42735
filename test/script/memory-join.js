// args: --memory-mib 16
// expect: limit memory
const piece = "x".repeat(10000);
Array.from({ length: 10000 }, () => piece).join("").length;
