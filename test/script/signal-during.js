// args: --allow notes.create
// lock: yes
// expect: value ["AbortError",true,true]
// operations: created=1 cancelled=1
const controller = new AbortController();
setTimeout(() => controller.abort(), 20);
const begun = performance.now();
const error = await notes.create({ title: "x" }, { signal: controller.signal }).catch((e) => e);
[error.name, error === controller.signal.reason, performance.now() - begun < 1000];
