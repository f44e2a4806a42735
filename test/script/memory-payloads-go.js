// args: --memory-mib 32 --allow notes.create
// expect: value 100
// operations: created=100 fulfilled=100
// seconds: 20
// One after the other they do not add up.
const body = "x".repeat(1 << 20);
let count = 0;
for (; count < 100; count++) await notes.create({ title: `${count}`, body });
count;
