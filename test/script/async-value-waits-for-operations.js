// args: --allow notes.*
// expect: value 1
// operations: created=1 fulfilled=1
// Nobody awaits the call: it is carried out all the same.
notes.create({ id: "late", title: "x" });
1;
