// args: --allow notes.get
// expect: value "AbortError"
// operations: created=1 cancelled=1 fulfilled=0
const controller = new AbortController();
const call = notes.get("apple", { signal: controller.signal });
controller.abort();
await call.catch((error) => error.name);
