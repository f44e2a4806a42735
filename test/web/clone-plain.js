// Objects, arrays, primitives, prototypes, getters, holes.
const source = { a: 1, b: [1, , "x"], u: undefined, n: null, big: 10n, z: -0, nan: NaN };
const clone = structuredClone(source);
assert(clone !== source && clone.b !== source.b, "copies");
same(host.internals.inspect(clone), host.internals.inspect(source));
same(1 in clone.b, false);
same(structuredClone([1, 2, , ,]).length, 4);
const tail = Object.assign([1], { x: 2 });
same(structuredClone(tail).x, 2);
class Foo { x = 1; #y = 2; m() {} }
const foo = structuredClone(new Foo());
same(Object.getPrototypeOf(foo), Object.prototype);
same(Object.keys(foo).join(), "x");
same(structuredClone({ get g() { return 7; } }).g, 7);
const hidden = Object.defineProperty({ [Symbol("s")]: 1, v: 1 }, "h", { value: 1 });
same(Reflect.ownKeys(structuredClone(hidden)).join(), "v");
same(structuredClone(JSON.parse('{"__proto__":1}')).__proto__, 1);
same(structuredClone(5n), 5n);
throws(() => structuredClone(), "TypeError");
let deep = {};
for (let i = 0; i < 100000; i++) deep = [deep];
assert(structuredClone(deep).length === 1, "depth costs no stack");
