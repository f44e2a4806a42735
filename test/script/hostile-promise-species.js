// args: --allow notes.get
// expect: value "Apple pie"
Object.defineProperty(Promise, Symbol.species, { get() { throw new Error("species"); } });
(await notes.get("apple")).title;
