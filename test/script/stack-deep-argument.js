// args: --allow notes.create
// expect: value "TypeError"
// operations: created=0
let list = [];
for (let i = 0; i < 100000; i++) list = [list];
await notes.create({ title: list }).catch((error) => error.name);
