// args: --allow notes.get
// expect: value "Apple pie, then called 0 times"
// Results of host calls are settled by the engine itself, which looks at no `then`.
let called = 0;
Object.defineProperty(Object.prototype, "then", {
  configurable: true,
  value(resolve) {
    called++;
    resolve("hijacked");
  },
});
const note = await notes.get("apple");
delete Object.prototype.then;
`${note.title}, then called ${called} times`;
