// expect: value [true,"undefined"]
const kept = { a: 1 };
const ref = new WeakRef(kept);
await sleep(1);
[ref.deref() === kept, typeof globalThis.gc];
