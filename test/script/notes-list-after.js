// args: --allow notes.list
// expect: value {"ids":["n20","n21"],"next":null}
const { items, next } = await notes.list({ after: "n19" });
({ ids: items.map((note) => note.id), next });
