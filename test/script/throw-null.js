// expect: error script
// message: null
throw null;
