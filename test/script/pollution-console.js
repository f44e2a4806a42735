// expect: value 1
// stderr: { a: 1, b: [ 2 ] } Map(1) { 'k' => 3 }
const fail = () => { throw new Error("replaced"); };
Array.prototype.push = Array.prototype.join = Array.prototype.map = String.prototype.replace = fail;
Object.prototype.get = fail;
Object.keys = Object.entries = Object.getOwnPropertyNames = fail;
console.log({ a: 1, b: [2] }, new Map([["k", 3]]));
1;
