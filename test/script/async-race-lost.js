// args: --allow notes.create
// lock: yes
// expect: value "slept"
// operations: created=1 rejected=1 fulfilled=0
// The write waits for a lock that is never given up, and fails after the value is there.
const write = notes.create({ title: "x" }).then(() => "written", () => "failed");
await Promise.race([write, sleep(20).then(() => "slept")]);
