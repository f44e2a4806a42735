// args: --memory-mib 16
// expect: limit memory
const buffer = new ArrayBuffer(0, { maxByteLength: 1 << 30 });
buffer.resize(1 << 29);
