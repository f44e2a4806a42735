// args: --allow notes.get
// expect: value "Apple pie"
(await notes.get("apple", { timeout: 5000 })).title;
