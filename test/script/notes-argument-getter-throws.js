// args: --allow notes.create
// expect: error script RangeError
// message: from a getter
// operations: created=0
await notes.create({ get title() { throw new RangeError("from a getter"); } });
