// args: --cpu-ms 200 --allow notes.create
// lock: yes
// expect: limit cpu
// operations: created=1 cancelled=1
// leaks: notes.create
notes.create({ title: "x" });
await sleep(5);
for (;;);
