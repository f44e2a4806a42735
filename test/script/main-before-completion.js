// expect: value "main"
function main() { return "main"; }
"completion";
