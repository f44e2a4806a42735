// args: --allow notes.get
// expect: value 2000
// operations: created=2000 fulfilled=2000 concurrent_max=64
// More than --max-concurrent wait in the queue.
const found = await Promise.all(Array.from({ length: 2000 }, () => notes.get("apple")));
found.filter((note) => note.title === "Apple pie").length;
