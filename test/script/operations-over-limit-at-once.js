// args: --max-ops 10 --allow notes.get
// expect: limit operations
// operations: created=10
// leaks: notes.get*
await Promise.allSettled(Array.from({ length: 100 }, () => notes.get("apple")));
