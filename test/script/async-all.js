// args: --allow notes.get
// expect: value ["Apple pie","Banana bread","Cherry"]
// operations: created=3 fulfilled=3 concurrent_max=3
const found = await Promise.all(["apple", "banana", "cherry"].map((id) => notes.get(id)));
found.map((note) => note.title);
