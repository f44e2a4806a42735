// args: --result-kib 1
// expect: limit result
"x".repeat(1023);
