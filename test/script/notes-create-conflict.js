// args: --allow notes.create
// expect: error api ConflictError
// message: apple
// operation: notes.create
await notes.create({ id: "apple", title: "again" });
