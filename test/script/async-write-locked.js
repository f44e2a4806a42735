// args: --allow notes.create
// lock: yes
// expect: error api ApiError
// message: busy
// operation: notes.create
await notes.create({ title: "x" });
