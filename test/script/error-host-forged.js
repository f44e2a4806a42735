// expect: error script NotFoundError
// message: made up
// operation: none
// What a script makes itself is no error of an operation.
const error = new NotFoundError("made up");
error.operation = { id: 1, name: "notes.get", attempts: 1 };
error.code = "NOT_FOUND";
throw error;
