// args: --cpu-ms 200
// expect: limit cpu
function* endless() { try { for (;;) yield; } finally { for (;;); } }
for (const x of endless()) break;
