// args: --log-kib 1
// expect: limit output
// seconds: 10
// leaks: timer*
setInterval(() => console.log("x".repeat(200)), 1);
await sleep(20000);
