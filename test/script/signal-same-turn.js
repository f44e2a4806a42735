// args: --allow notes.get
// expect: value "AbortError"
// operations: created=1 rejected=0 timed_out=0 live=0
// Where the turn is interrupted between the two, the answer may be there already.
const controller = new AbortController();
const call = notes.get("apple", { signal: controller.signal });
controller.abort();
await call.catch((error) => error.name);
