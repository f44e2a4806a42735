// args: --allow notes.create
// expect: value [true,"TypeError"]
// operations: created=0
// Also what is refused is refused by a promise, never by a throw of the call.
const call = notes.create({ title: () => 1 });
[call instanceof Promise, await call.catch((error) => error.name)];
