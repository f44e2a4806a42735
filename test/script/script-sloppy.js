// expect: value [true,1]
undeclared = 1;
[this === globalThis, undeclared];
