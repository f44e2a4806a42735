// args: --allow notes.list
// expect: value {"ids":["apple","banana"],"next":"banana"}
const { items, next } = await notes.list({ limit: 2 });
({ ids: items.map((note) => note.id), next });
