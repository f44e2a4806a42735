// args: --allow notes.get
// expect: value ["Apple pie",0,true]
let stolen = 0;
for (const key of ["id", "title", "body", "tags", "created", "updated"])
  Object.defineProperty(Object.prototype, key, {
    configurable: true,
    set() {
      stolen++;
    },
    get() {
      stolen++;
    },
  });
const note = await notes.get("apple");
[note.title, stolen, Object.hasOwn(note, "tags")];
