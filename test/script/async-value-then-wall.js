// args: --allow notes.create --wall-ms 300
// lock: yes
// pending: notes.create
// expect: value "kept"
// operations: created=1 cancelled=1
// seconds: 3
// leaks: notes.create
// The wall limit cancels what is still live; the outcome stays the value.
notes.create({ title: "x" }).catch(() => {});
"kept";
