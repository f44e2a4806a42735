// args: --allow notes.create,notes.get
// expect: value ["ConflictError","CONFLICT",true,"Apple pie"]
// The note that was there is untouched.
const error = await notes.create({ id: "apple", title: "again" }).catch((e) => e);
[error.name, error.code, error instanceof ConflictError, (await notes.get("apple")).title];
