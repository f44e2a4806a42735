// expect: value null
Symbol("top");
