// args: --allow notes.get
// expect: value [["get"],"undefined"]
// What is not allowed is absent.
[Object.getOwnPropertyNames(notes), typeof notes.delete];
