// args: --allow notes.get
// expect: error api NotFoundError
// not: Of the other vault
await notes.get("secret");
