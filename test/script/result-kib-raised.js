// args: --result-kib 4096
// expect: size 3145730
"x".repeat(3 << 20);
