// args: --log-kib 1
// expect: limit output
for (let i = 0; i < 1000; i++) console.log("x".repeat(100));
