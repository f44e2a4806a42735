// args: --allow notes.get
// expect: value ["apple","returned"]
const log = [];
async function* source() {
  try {
    for (const id of ["apple", "banana", "cherry"]) yield await notes.get(id);
  } finally {
    log.push("returned");
  }
}
for await (const note of source()) {
  log.push(note.id);
  break;
}
log;
