// args: --allow notes.create --op-timeout-ms 50
// lock: yes
// expect: value "TimeoutError"
await notes.create({ title: "x" }, { timeout: Infinity }).catch((error) => error.name);
