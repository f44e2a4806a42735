// args: --allow notes.create
// lock: yes
// expect: error
// message: abort
// operations: created=1 cancelled=1
const controller = new AbortController();
setTimeout(() => controller.abort(), 20);
await notes.create({ title: "x" }, { signal: controller.signal });
