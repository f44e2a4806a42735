// args: --wall-ms 300
// expect: limit timeout
setInterval(() => {}, 10);
await new Promise(() => {});
