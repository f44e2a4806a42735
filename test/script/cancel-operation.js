// args: --allow notes.create
// lock: yes
// signal: INT
// expect: cancelled
// stderr: ready
// operations: created=1 cancelled=1
// leaks: notes.create
setTimeout(() => console.log("ready"), 10);
await notes.create({ title: "x" });
