// args: --memory-mib 16
// expect: value 300000
let count = 0;
for (; count < 300000; count++) { const a = { text: `${count}` }; a.self = a; }
count;
