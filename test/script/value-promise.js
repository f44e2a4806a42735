// expect: value 5
Promise.resolve(5);
