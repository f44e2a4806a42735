// args: --wall-ms 300
// expect: limit timeout
for (;;);
