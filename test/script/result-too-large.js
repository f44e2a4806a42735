// expect: limit result
"x".repeat(2 << 20);
