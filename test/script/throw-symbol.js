// expect: error script
// message: symbol
throw Symbol("secret name");
