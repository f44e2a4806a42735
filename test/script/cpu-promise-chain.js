// args: --cpu-ms 200
// expect: limit cpu
for (;;) await null;
