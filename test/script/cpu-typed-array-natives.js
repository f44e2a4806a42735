// args: --cpu-ms 200
// expect: limit cpu
const bytes = new Float64Array(1 << 20).map((_, i) => -i);
for (;;) bytes.slice().sort();
