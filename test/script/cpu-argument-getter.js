// args: --cpu-ms 200 --allow notes.create
// expect: limit cpu
// operations: created=0
await notes.create({ get title() { for (;;); } });
