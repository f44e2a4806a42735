// args: --allow notes.get
// expect: value ["AbortError",true]
// operations: created=0
const signal = AbortSignal.abort();
const error = await notes.get("apple", { signal }).catch((e) => e);
[error.name, error === signal.reason];
