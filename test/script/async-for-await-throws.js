// args: --allow notes.get
// expect: value ["apple","NotFoundError","finally"]
const log = [];
async function* source() {
  try {
    yield await notes.get("apple");
    yield await notes.get("zebra");
  } finally {
    log.push("finally");
  }
}
try {
  for await (const note of source()) log.push(note.id);
} catch (error) {
  log.splice(1, 0, error.name);
}
log;
