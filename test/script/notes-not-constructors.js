// args: --allow notes.get
// expect: error script TypeError
new notes.get("apple");
