// args: --cpu-ms 200
// expect: limit cpu
// Each comparison is short; there are too many.
const list = Array.from({ length: 1000 }, (_, i) => i);
for (;;) list.sort(() => 1);
