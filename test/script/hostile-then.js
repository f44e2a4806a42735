// args: --allow notes.get
// expect: value ["Apple pie",0]
let called = 0;
Promise.prototype.then = function () { called++; throw new Error("replaced"); };
const note = await notes.get("apple");
await sleep(1);
[note.title, called];
