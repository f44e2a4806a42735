// args: --allow notes.get
// expect: value ["string",0]
let called = 0;
Error.prepareStackTrace = () => { called++; return "hijacked"; };
const error = await notes.get("zebra").catch((e) => e);
[typeof error.stack, error.stack.includes("hijacked") ? 1 : 0];
