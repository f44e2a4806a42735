// args: --allow notes.get
// expect: limit operations
// operations: created=10000
for (;;) notes.get("apple").catch(() => {});
