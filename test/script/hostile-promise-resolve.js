// args: --allow notes.get
// expect: value "Apple pie"
Promise.resolve = Promise.reject = () => { throw new Error("replaced"); };
const main = () => ({ then(resolve) { notes.get("apple").then((note) => resolve(note.title)); } });
