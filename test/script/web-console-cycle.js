// expect: value 1
// stderr: <ref *1> { a: 1, self: [Circular *1] }
const object = { a: 1 };
object.self = object;
console.log(object);
1;
