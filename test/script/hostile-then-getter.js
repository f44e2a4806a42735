// args: --allow notes.get
// expect: value ["Apple pie",0]
let called = 0;
Object.defineProperty(Promise.prototype, "then", {
  get() {
    called++;
    throw new Error("replaced");
  },
});
[(await notes.get("apple")).title, called];
