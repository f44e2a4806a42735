// args: --memory-mib 32 --allow notes.create
// lock: yes
// expect: limit memory
// leaks: notes.create*
// Arguments on their way count.
const body = "x".repeat(1 << 20);
for (let i = 0; i < 200; i++) notes.create({ title: `${i}`, body }).catch(() => {});
await sleep(10000);
