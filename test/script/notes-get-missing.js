// args: --allow notes.get
// expect: error api NotFoundError
// message: zebra
// operation: notes.get
// operations: created=1 rejected=1
await notes.get("zebra");
