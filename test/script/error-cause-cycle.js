// expect: error script Error
// message: round and round
const error = new Error("round and round");
error.cause = error;
throw error;
