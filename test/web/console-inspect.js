// Values as Node shows them.
const { inspect } = host.internals;
const shows = (value, expected) => same(inspect(value), expected);
shows("text", "'text'");
shows(["it's", 'say "hi"', `it's "x"`], "[ \"it's\", 'say \"hi\"', `it's \"x\"` ]");
shows(["a\nb\x01", "\ud800"], "[ 'a\\nb\\x01', '\\ud800' ]");
shows([1, -0, 1n, null, undefined, true], "[ 1, -0, 1n, null, undefined, true ]");
shows({ "a b": 1, c: { d: { e: {} } }, [Symbol("k")]: Symbol.iterator },
      "{ 'a b': 1, c: { d: { e: {} } }, [Symbol(k)]: Symbol(Symbol.iterator) }");
shows({ a: { b: { c: { d: 1 } } } }, "{ a: { b: { c: [Object] } } }");
shows({ a: { b: { c: {} } } }, "{ a: { b: { c: {} } } }");
shows([[[[1]]]], "[ [ [ [Array] ] ] ]");
shows([1, , 3, , ,], "[ 1, <1 empty item>, 3, <2 empty items> ]");
shows(Object.assign([1], { x: 2 }), "[ 1, x: 2 ]");
shows(new Map([[1, { a: 1 }], ["k", [1]]]), "Map(2) { 1 => { a: 1 }, 'k' => [ 1 ] }");
shows(new Set([1, "a"]), "Set(2) { 1, 'a' }");
shows([new Map(), new Set()], "[ Map(0) {}, Set(0) {} ]");
shows([new Date(0), new Date(NaN), /a\/b/gi], "[ 1970-01-01T00:00:00.000Z, Invalid Date, /a\\/b/gi ]");
shows([function foo() {}, () => {}, async () => {}, function* g() {}, Math.max],
      "[\n  [Function: foo],\n  [Function (anonymous)],\n  [AsyncFunction (anonymous)],\n" +
      "  [GeneratorFunction: g],\n  [Function: max]\n]");
shows([class A {}, class B extends Map {}, class {}], "[ [class A], [class B extends Map], [class (anonymous)] ]");
shows({ get a() { return 1; }, set a(v) {}, get b() { return 1; }, set c(v) {} },
      "{ a: [Getter/Setter], b: [Getter], c: [Setter] }");
shows(Object.create(null), "[Object: null prototype] {}");
shows(new (class Foo { x = 1; })(), "Foo { x: 1 }");
shows(new (class Bar extends Map {})([[1, 2]]), "Bar(1) [Map] { 1 => 2 }");
shows([new Uint8Array([1, 2]), new Uint8Array([1, 255]).buffer],
      "[\n  Uint8Array(2) [ 1, 2 ],\n  ArrayBuffer { [Uint8Contents]: <01 ff>, byteLength: 2 }\n]");
shows([Promise.resolve(4), new Promise(() => {}), new WeakMap()],
      "[ Promise { 4 }, Promise { <pending> }, WeakMap { <items unknown> } ]");
const rejected = Promise.reject(5);
rejected.catch(() => {});
shows(rejected, "Promise { <rejected> 5 }");
shows([Object(3), Object("s"), Object(false)], "[ [Number: 3], [String: 's'], [Boolean: false] ]");
shows([Object(1n), Object(Symbol("q"))], "[ [BigInt: 1n], [Symbol: Symbol(q)] ]");
const circle = { a: 1 };
circle.self = circle;
shows(circle, "<ref *1> { a: 1, self: [Circular *1] }");
shows(AbortSignal.abort("r"), "AbortSignal { aborted: true, reason: 'r' }");
shows(new AbortController(), "AbortController { signal: AbortSignal { aborted: false } }");
assert(inspect(Array.from({ length: 120 }, (_, i) => i)).endsWith("99,\n  ... 20 more items\n]"), "100 items");
