// expect: error script
// message: short
const error = new Error("short");
error.name = "n".repeat(4 << 20);
throw error;
