// args: --wall-ms 300 --allow notes.* --max-concurrent 1
// lock: yes
// expect: limit timeout
// pending: timer notes.create notes.get
// operations: created=2 cancelled=2
// leaks: timer notes.create notes.get
// Oldest first; what waits in the queue is named too.
setTimeout(() => {}, 20000);
await Promise.all([notes.create({ title: "x" }), notes.get("apple")]);
