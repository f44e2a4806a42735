// expect: value {"a":1,"c":4}
const object = { a: { toJSON() { delete object.b; object.c = 4; return 1; } }, b: 2, c: 3 };
object;
