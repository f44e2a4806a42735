// expect: value 7
({ then(resolve) { resolve(7); } });
