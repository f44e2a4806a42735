// args: --allow notes.get
// expect: error script RangeError
// message: after the value
notes.get("apple").then(() => { throw new RangeError("after the value"); });
1;
