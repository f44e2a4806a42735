// args: --memory-mib 16
// expect: limit memory
const kept = [];
for (let i = 0; ; i++) kept.push(Symbol(i), Symbol.for(`${i}`));
