// args: --allow notes.get
// expect: value ["TypeError","TypeError","TypeError","fine","fine"]
// operations: created=2
const names = [];
for (const signal of [{}, "abort", new AbortController(), null, undefined])
  names.push(await notes.get("apple", { signal }).then(() => "fine", (error) => error.name));
names;
