// args: --allow notes.create --op-timeout-ms 50
// lock: yes
// expect: error api TimeoutError
// operations: created=1 timed_out=1
await notes.create({ title: "x" });
