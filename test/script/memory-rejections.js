// args: --memory-mib 16
// expect: limit memory
for (;;) Promise.reject(new Error("again"));
