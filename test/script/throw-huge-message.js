// expect: error script Error
// message: xxxxxxxx
// The report stays bounded.
throw new Error("x".repeat(4 << 20));
