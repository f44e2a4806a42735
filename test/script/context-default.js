// expect: value {}
context;
