// The typed errors as classes for guests.
const classes = { ApiError, NotFoundError, ConflictError, PermissionError, TimeoutError, AbortError };
for (const name in classes) {
  const error = new classes[name]("m", { cause: 1, code: "c", transient: 1 });
  assert(error instanceof ApiError && error instanceof Error, name);
  same(error.name, name);
  same(`${error}`, `${name}: m`);
  same(`${error.cause} ${error.code} ${error.transient} ${error.operation}`, "1 c true undefined");
  same(Object.keys(error).length, 0);
  same(classes[name].name, name);
  same(classes[name].length, 0);
  assert(typeof error.stack === "string" && error.stack.includes("errors-classes.js"), "stack");
}
same(new NotFoundError().message, "");
class Mine extends ConflictError {}
assert(new Mine("x") instanceof ConflictError, "subclass");
