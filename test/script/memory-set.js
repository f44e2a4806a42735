// args: --memory-mib 16
// expect: limit memory
const set = new Set();
for (let i = 0; ; i++) set.add(`${i}`);
