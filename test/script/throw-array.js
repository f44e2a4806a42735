// expect: error script
// message: 1,2
throw [1, 2];
