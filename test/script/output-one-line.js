// args: --log-kib 1
// expect: limit output
console.log("x".repeat(1 << 20));
