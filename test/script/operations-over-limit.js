// args: --max-ops 10 --allow notes.get
// expect: limit operations
// operations: created=10
for (let i = 0; i < 11; i++) await notes.get("apple");
