// expect: error script
const error = new Error("hidden");
for (const key of ["name", "message", "stack", "toString"])
  Object.defineProperty(error, key, { get() { throw new Error(`no ${key}`); } });
throw error;
