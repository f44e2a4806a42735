// expect: value "second"
let main = () => "first";
main = () => "second";
