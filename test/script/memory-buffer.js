// args: --memory-mib 16
// expect: limit memory
new ArrayBuffer(1 << 30).byteLength;
