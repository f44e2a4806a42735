// options: --memory-mib 16
// status: 3
// stderr: vow run: limit (memory): the memory limit (--memory-mib) was hit
const kept = [];
for (;;) kept.push(new Uint8Array(1 << 20));
