// args: --allow notes.create
// lock: yes
// expect: error api TimeoutError
// operation: notes.create
// stack: timeout-uncaught.js:8:
// operations: created=1 timed_out=1
// A host operation's own time-out is kind api, not the limit `timeout`.
await notes.create({ title: "x" }, { timeout: 50 });
