// args: --allow notes.get
// expect: value ["NotFoundError",0]
let called = 0;
Error.stackTraceLimit = { valueOf() { called++; return 1e9; } };
const error = await notes.get("zebra").catch((e) => e);
[error.name, called];
