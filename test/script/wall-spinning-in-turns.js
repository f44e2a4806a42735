// args: --wall-ms 300
// expect: limit timeout
// leaks: timer*
for (;;) await sleep(0);
