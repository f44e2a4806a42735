// args: --allow notes.create
// lock: yes
// expect: value ["TimeoutError",true]
// No time at all, not all the time.
const begun = performance.now();
const name = await notes.create({ title: "x" }, { timeout: 0 }).catch((error) => error.name);
[name, performance.now() - begun < 1500];
