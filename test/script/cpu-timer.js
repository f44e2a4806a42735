// args: --cpu-ms 200
// expect: limit cpu
// leaks: timer
setTimeout(() => { for (;;); }, 1);
await sleep(10000);
