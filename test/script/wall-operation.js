// args: --wall-ms 300 --allow notes.create
// lock: yes
// expect: limit timeout
// pending: notes.create
// operations: created=1 cancelled=1
// leaks: notes.create
await notes.create({ title: "x" });
