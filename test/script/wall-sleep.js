// args: --wall-ms 300
// expect: limit timeout
// pending: timer
// leaks: timer
await sleep(20000);
