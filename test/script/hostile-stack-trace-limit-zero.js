// args: --allow notes.get
// expect: error api NotFoundError
// message: zebra
Error.stackTraceLimit = 0;
await notes.get("zebra");
