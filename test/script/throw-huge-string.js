// expect: error script
// message: yyyyyyyy
throw "y".repeat(4 << 20);
