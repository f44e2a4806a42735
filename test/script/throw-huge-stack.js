// expect: error script Error
// message: short
const error = new Error("short");
error.stack = "s".repeat(4 << 20);
throw error;
