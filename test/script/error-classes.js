// expect: value ["ApiError","NotFoundError","ConflictError","PermissionError","TimeoutError","AbortError"]
[ApiError, NotFoundError, ConflictError, PermissionError, TimeoutError, AbortError].map((Class) => {
  const error = new Class("text", { code: "C", transient: true });
  const fine = error instanceof ApiError && error instanceof Error && error.message === "text" &&
    error.code === "C" && error.transient === true && error.operation === undefined;
  return fine ? error.name : "wrong";
});
