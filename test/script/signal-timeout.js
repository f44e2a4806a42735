// args: --allow notes.create
// lock: yes
// expect: value ["TimeoutError",true]
// operations: created=1 cancelled=1
const begun = performance.now();
const error = await notes
  .create({ title: "x" }, { signal: AbortSignal.timeout(30) })
  .catch((e) => e);
const passed = performance.now() - begun;
[error.name, passed >= 29 && passed < 1000];
