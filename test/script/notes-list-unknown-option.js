// args: --allow notes.list
// expect: error api TypeError
// message: lmit
await notes.list({ lmit: 5 });
