// args: --allow notes.get
// expect: value ["Apple pie",true]
// operations: created=1 fulfilled=1 cancelled=0
const controller = new AbortController();
const note = await notes.get("apple", { signal: controller.signal });
controller.abort();
[note.title, controller.signal.aborted];
