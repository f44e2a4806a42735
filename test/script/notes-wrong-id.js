// args: --allow notes.get
// expect: value ["TypeError","TypeError","TypeError","RangeError","RangeError","TypeError"]
const ids = [undefined, 5, { id: "apple" }, "", "x".repeat(1000), "a\0b"];
const names = [];
for (const id of ids) names.push(await notes.get(id).then(() => "fine", (error) => error.name));
names;
