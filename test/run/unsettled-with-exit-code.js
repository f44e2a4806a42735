// status: 13
// stderr: vow run: the program's top-level await waits for a promise that nothing can settle any more
process.exitCode = 1;
await new Promise(() => {});
