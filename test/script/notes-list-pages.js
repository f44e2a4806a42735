// args: --allow notes.list
// expect: value [25,"apple","n21",4]
// Async iteration over the pages.
// operations: created=4 fulfilled=4
let pages = 0;
async function* all() {
  let after;
  do {
    const { items, next } = await notes.list({ limit: 7, after });
    pages++;
    yield* items;
    after = next;
  } while (after !== null);
}
const ids = [];
for await (const note of all()) ids.push(note.id);
[ids.length, ids[0], ids.at(-1), pages];
