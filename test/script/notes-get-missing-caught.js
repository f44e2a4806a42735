// args: --allow notes.get
// expect: value {"classes":[true,true,true],"name":"NotFoundError","code":"NOT_FOUND","transient":false,"operation":["notes.get","number",1]}
try {
  await notes.get("zebra");
} catch (error) {
  ({
    classes: [error instanceof NotFoundError, error instanceof ApiError, error instanceof Error],
    name: error.name,
    code: error.code,
    transient: error.transient,
    operation: [error.operation.name, typeof error.operation.id, error.operation.attempts],
  });
}
