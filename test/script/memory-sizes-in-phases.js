// args: --memory-mib 24
// expect: value "done"
// What was freed in one size serves another: each phase fills most of the limit.
const phase = (make) => {
  const kept = [];
  for (let bytes = 0; bytes < 6 << 20; bytes += 100) kept.push(make(kept.length));
};
phase((i) => ({ i }));
phase((i) => "x".repeat(40) + i);
phase((i) => "y".repeat(70) + i);
phase((i) => [i, i, i, i]);
phase((i) => new Map([[i, i]]) && i);
phase((i) => ({ a: i, b: i, c: i, d: i, e: i }));
for (let i = 0; i < 10; i++) new Uint8Array(6 << 20);
"done";
