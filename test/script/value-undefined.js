// expect: value null
undefined;
