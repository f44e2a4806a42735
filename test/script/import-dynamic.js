// expect: error script
// message: cannot import
await import("fs");
