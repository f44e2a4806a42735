// expect: value "after the mark"
"after the mark";
