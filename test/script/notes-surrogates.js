// args: --allow notes.create
// expect: error api TypeError
// message: surrogate
await notes.create({ title: "broken \ud800" });
