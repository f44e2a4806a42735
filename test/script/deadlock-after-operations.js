// args: --allow notes.get
// expect: error deadlock
// operations: created=1 fulfilled=1
// seconds: 3
await notes.get("apple");
await new Promise(() => {});
