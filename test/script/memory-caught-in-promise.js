// args: --memory-mib 16
// expect: limit memory
await (async () => new ArrayBuffer(1 << 30))().catch(() => "caught");
