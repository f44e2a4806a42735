// args: --memory-mib 16
// expect: limit memory
const kept = [];
for (;;) { const g = (function* () { yield 1; })(); g.next(); kept.push(g); }
