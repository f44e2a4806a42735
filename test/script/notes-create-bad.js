// args: --allow notes.create
// expect: value ["TypeError","TypeError","TypeError","TypeError","TypeError","TypeError","RangeError","TypeError"]
const bad = [
  undefined,
  {},
  { title: 5 },
  { title: "x", tags: "t" },
  { title: "x", extra: 1 },
  "text",
  { title: "x", id: "" },
  { title: "x", tags: [1] },
];
const names = [];
for (const note of bad)
  names.push(
    await notes.create(note).then(
      () => "fine",
      (error) => error.name,
    ),
  );
names;
