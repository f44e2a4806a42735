// args: --allow notes.get
// expect: error script TypeError
// operations: created=0
await notes.delete("apple");
