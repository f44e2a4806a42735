// args: --memory-mib 16
// expect: limit memory
const map = new Map();
for (let i = 0; ; i++) map.set(i, i);
