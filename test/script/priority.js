// args: --allow notes.get
// expect: value ["Apple pie","Apple pie","TypeError","TypeError"]
const text = (priority) =>
  notes.get("apple", { priority }).then(
    (note) => note.title,
    (error) => error.name,
  );
[await text("low"), await text("normal"), await text("high"), await text(3)];
