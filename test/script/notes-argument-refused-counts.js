// args: --allow notes.create
// expect: value "TypeError"
// operations: created=0
await notes.create({ title: () => 1 }).catch((error) => error.name);
