// args: --allow notes.* --vault other
// expect: value [["secret"],"NotFoundError"]
const { items } = await notes.list();
const apple = await notes.get("apple").catch((error) => error.name);
[items.map((note) => note.id), apple];
