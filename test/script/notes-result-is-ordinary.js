// args: --allow notes.get
// expect: value [true,true,true,"changed"]
// Results are ordinary objects the script may change.
const note = await notes.get("apple");
note.title = "changed";
[
  Object.getPrototypeOf(note) === Object.prototype,
  Array.isArray(note.tags),
  note.tags instanceof Array,
  note.title,
];
