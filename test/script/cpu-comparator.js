// args: --cpu-ms 200
// expect: limit cpu
[3, 2, 1].sort(() => { for (;;); });
