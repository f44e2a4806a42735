// args: --wall-ms 300
// expect: limit timeout
// pending: timer
setInterval(() => {}, 10);
await new Promise(() => {});
