// expect: error script
// message: 42
throw 42;
