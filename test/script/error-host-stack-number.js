// args: --allow notes.get
// expect: value [true,true]
// The number in the trace is that of the report and of error.operation.
await notes.get("apple");
const error = await notes.get("zebra").catch((e) => e);
[
  error.stack.includes(`at notes.get (host operation ${error.operation.id})`),
  error.operation.id >= 2,
];
