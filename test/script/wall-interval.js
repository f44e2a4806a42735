// args: --wall-ms 300
// expect: limit timeout
// leaks: timer*
setInterval(() => {}, 10);
await new Promise(() => {});
