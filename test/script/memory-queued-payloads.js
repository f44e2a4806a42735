// args: --memory-mib 32 --max-concurrent 1 --allow notes.create
// lock: yes
// expect: limit memory
// leaks: notes.create*
const body = "x".repeat(1 << 20);
for (let i = 0; i < 200; i++) {
  notes.create({ title: `${i}`, body }).catch(() => {});
  await null;
}
await sleep(10000);
