// args: --result-kib 4096
// expect: size 2400001
new Array(1200000).fill(0);
