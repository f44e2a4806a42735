// args: --allow notes.get
// expect: value ["TypeError","TypeError","fine"]
const names = [];
for (const options of [5, "x", undefined])
  names.push(await notes.get("apple", options).then(() => "fine", (error) => error.name));
names;
