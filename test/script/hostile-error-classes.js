// args: --allow notes.get
// expect: value [true,"NotFoundError"]
const Real = NotFoundError;
globalThis.Error = globalThis.ApiError = globalThis.NotFoundError = class Evil {};
const error = await notes.get("zebra").catch((e) => e);
[error instanceof Real, error.name];
