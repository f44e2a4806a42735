// args: --memory-mib 32
// expect: limit result
// Small in the script, large as text.
const s = "x".repeat(1 << 19);
Array.from({ length: 100000 }, () => s);
