// args: --max-ops 10 --allow notes.get
// expect: value 10
// operations: created=10
let i = 0;
for (; i < 10; i++) await notes.get("apple");
i;
