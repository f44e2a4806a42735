// expect: error script
throw Promise.resolve(1);
