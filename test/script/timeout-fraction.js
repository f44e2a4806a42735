// args: --allow notes.create
// lock: yes
// expect: value ["TimeoutError",true]
const begun = performance.now();
const name = await notes.create({ title: "x" }, { timeout: 0.25 }).catch((error) => error.name);
[name, performance.now() - begun < 1500];
