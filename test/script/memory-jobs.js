// args: --memory-mib 16
// expect: limit memory
for (;;) queueMicrotask(() => {});
