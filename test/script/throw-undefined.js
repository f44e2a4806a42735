// expect: error script
// message: undefined
throw undefined;
