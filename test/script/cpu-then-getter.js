// args: --cpu-ms 200
// expect: limit cpu
await { get then() { for (;;); } };
