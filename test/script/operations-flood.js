// args: --allow notes.get
// expect: limit operations
// operations: created=10000
// leaks: notes.get*
for (;;) notes.get("apple").catch(() => {});
