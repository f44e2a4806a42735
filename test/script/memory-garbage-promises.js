// args: --memory-mib 16
// expect: value 100000
let count = 0;
for (; count < 100000; count++) await new Promise((resolve) => resolve(count));
count;
