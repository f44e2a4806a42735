// args: --allow notes.get
// expect: error api NotFoundError
// operation: notes.get
// not: evil
for (const key of [
  "name",
  "message",
  "code",
  "transient",
  "operation",
  "id",
  "attempts",
  "stack",
  "cause",
])
  Object.prototype[key] = "ev" + "il";
await notes.get("zebra");
