// expect: value null
// What main resolves to counts, also when it is nothing.
function main() {}
"completion";
