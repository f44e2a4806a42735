// expect: value null
null;
