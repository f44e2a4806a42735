// args: --allow notes.*
// expect: value 1
// operations: created=3 fulfilled=3
// What an awaited operation starts is awaited too.
notes
  .create({ id: "a", title: "x" })
  .then(() => notes.update("a", { title: "y" }))
  .then(() => notes.delete("a"));
1;
