// args: --memory-mib 16
// expect: limit memory
const kept = [];
for (;;) {
  try {
    for (;;) kept.push(new Uint8Array(1 << 20));
  } catch {
    kept.length = 0;
  }
}
