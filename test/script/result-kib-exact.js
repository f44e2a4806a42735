// args: --result-kib 1
// expect: size 1024
"x".repeat(1022);
