// args: --allow notes.get
// expect: error api NotFoundError
// operation: notes.get
// operations: created=3 rejected=1
await Promise.all([notes.get("apple"), notes.get("zebra"), notes.get("banana")]);
