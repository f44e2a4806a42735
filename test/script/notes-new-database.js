// args: --allow notes.* --db sqlite:vow.db
// notes: none
// expect: value [[],"first"]
// The database is created on first use.
const before = (await notes.list()).items;
await notes.create({ id: "first", title: "x" });
[before, (await notes.list()).items[0].id];
