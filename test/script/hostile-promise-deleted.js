// args: --allow notes.get
// expect: value "Apple pie"
delete globalThis.Promise;
await sleep(1);
(await notes.get("apple")).title;
