// expect: error script RangeError
// message: from main
// stack: main
function main() { throw new RangeError("from main"); }
