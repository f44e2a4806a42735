// args: --cpu-ms 200 --allow notes.get
// expect: limit cpu
// operations: created=1 fulfilled=1
await notes.get("apple");
for (;;);
