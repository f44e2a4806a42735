// args: --allow notes.get
// expect: value ["apple","banana"]
const ids = [];
for await (const note of [notes.get("apple"), notes.get("banana")]) ids.push(note.id);
ids;
