// args: --allow notes.get
// expect: error api NotFoundError
// stack: at notes.get (host operation 1)
// stack: lookup (error-host-stack.js:8:
// operation: notes.get

async function lookup(id) {
  return await notes.get(id);
}
await lookup("zebra");
