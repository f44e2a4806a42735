// args: --memory-mib 16
// expect: limit memory
// Backtracking state is memory of the script.
/(?:.(?=(.*)))*$/.exec("ab".repeat(1 << 20));
const kept = [];
for (;;) kept.push("a,".repeat(10000).split(/,/));
