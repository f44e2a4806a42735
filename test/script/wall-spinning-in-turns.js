// args: --wall-ms 300
// expect: limit timeout
for (;;) await sleep(0);
