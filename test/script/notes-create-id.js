// args: --allow notes.*
// expect: value ["string",true,"",[],"only a title"]
// An id is made up when none is given.
const { id } = await notes.create({ title: "only a title" });
const note = await notes.get(id);
[typeof id, id.length > 10, note.body, note.tags, note.title];
