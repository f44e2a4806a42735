// expect: value "main"
// A script that defines main is its main, also when its last statement gave a promise.
function main() { return "main"; }
Promise.resolve("last");
