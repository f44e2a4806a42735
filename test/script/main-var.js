// expect: value "var"
var main = function () { return "var"; };
