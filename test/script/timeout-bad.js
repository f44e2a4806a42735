// args: --allow notes.get
// expect: value ["TypeError","TypeError","TypeError","TypeError","TypeError"]
// operations: created=0
const names = [];
for (const timeout of [-1, NaN, "50", null, {}])
  names.push(await notes.get("apple", { timeout }).then(() => "fine", (error) => error.name));
names;
