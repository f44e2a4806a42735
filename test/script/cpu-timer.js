// args: --cpu-ms 200
// expect: limit cpu
setTimeout(() => { for (;;); }, 1);
await sleep(10000);
