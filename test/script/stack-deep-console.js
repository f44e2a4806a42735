// expect: value 1
// stderr: { a: { a: { a: [Object] } } }
let object = {};
for (let i = 0; i < 100000; i++) object = { a: object };
console.log(object);
1;
