// args: --allow notes.*
// expect: value ["Apple pie","made in between"]
// A getter that makes another call while the arguments are being read.
let inner;
const outer = notes.create({
  id: "x",
  get title() {
    inner = notes.get("apple");
    return "made in between";
  },
});
[(await inner).title, (await outer).title];
