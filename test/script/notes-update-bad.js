// args: --allow notes.update
// expect: value ["TypeError","TypeError","TypeError","TypeError"]
const bad = [{}, { id: "other" }, { title: null }, undefined];
const names = [];
for (const patch of bad)
  names.push(
    await notes.update("apple", patch).then(
      () => "fine",
      (error) => error.name,
    ),
  );
names;
