// args: --allow notes.get
// expect: value "TypeError"
// An object that inherits from a signal is none.
const forged = Object.create(AbortSignal.abort());
await notes.get("apple", { signal: forged }).then(() => "fine", (error) => error.name);
