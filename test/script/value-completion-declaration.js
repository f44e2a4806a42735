// expect: value 3
// A declaration has no value of its own: that of the statement before stays.
3;
var x = 4;
function f() {}
