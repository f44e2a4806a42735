// args: --log-kib 1
// expect: value 9
// stderr: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
let i = 0;
for (; i < 9; i++) console.log("x".repeat(100));
i;
