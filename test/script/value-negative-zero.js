// expect: value 0
-0;
