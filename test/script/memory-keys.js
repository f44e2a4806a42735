// args: --memory-mib 16
// expect: limit memory
const object = {};
for (let i = 0; ; i++) object[`key${i}`] = i;
