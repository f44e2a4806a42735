// args: --allow notes.* --max-concurrent 1
// lock: yes
// expect: value ["TimeoutError","SQLITE_BUSY"]
// operations: created=2 timed_out=1 rejected=1 concurrent_max=1
// A deadline counts from the call, also while it waits in the queue.
const writing = notes.create({ title: "x" }).catch((error) => error.code);
const reading = notes.get("apple", { timeout: 30 }).catch((error) => error.name);
[await reading, await writing];
