// Everything goes on working, and nothing of the guest runs, after the guest
// has replaced what the realm offers.
const { setTimeout, clearTimeout, setInterval, clearInterval, sleep, structuredClone, console } = globalThis;
const { Event, EventTarget, AbortController, AbortSignal, TextEncoder, TextDecoder, NotFoundError } = globalThis;
const { URL, URLSearchParams } = globalThis;
const { lines, internals, timers } = host;
const { makeError, errorOperation, watchSignal, unwatchSignal, deepFreeze, inspect } = internals;
const { assert, same, throws } = globalThis;
const now = performance.now;
const values = {
  map: new Map([[1, { a: 1 }]]), set: new Set([1]), date: new Date(0), regexp: /x/g, bytes: new Uint8Array([1, 2]),
  list: [1, 2, [3]], error: new RangeError("r"), view: new DataView(new ArrayBuffer(2)), boxed: Object("s"),
  nested: { promise: Promise.resolve(1), fn() {}, sym: Symbol("d"), 7: 7 },
};
const { nested, ...cloneable } = values;
const buffer = new ArrayBuffer(8);
const settled = { __proto__: null, count: 0 };
const apply = Reflect.apply;
const keep = async (promise, index) => {
  try {
    settled[index] = await promise;
  } catch (error) {
    settled[index] = error;
  }
  settled.count++;
};

const objectPrototype = Object.prototype;
let ran = 0;
const Failure = Error;
const stackGetter = Reflect.getOwnPropertyDescriptor(Error.prototype, "stack").get;
const evil = function () { ran++; throw `poison ${apply(stackGetter, new Failure(), [])}`; };
// What is poisoned: every member of every global and every prototype, except of
// the classes used below, and property names a careless bundle would look for.
const iterators = [
  new Map().entries(), new Set().values(), [][Symbol.iterator](), ""[Symbol.iterator](),
  /x/[Symbol.matchAll]("x"), (function* () {})(), (async function* () {})(),
];
const names = Object.getOwnPropertyNames(globalThis).filter((name) => name !== "globalThis");
const globals = names.map((name) => globalThis[name]).filter((value) => Object(value) === value);
const prototypes = globals.map((value) => value.prototype).filter((value) => Object(value) === value)
  .concat(iterators.map(Object.getPrototypeOf), [Object.getPrototypeOf(Uint8Array.prototype)]);
const used = [Event, EventTarget, AbortController, AbortSignal, TextEncoder, TextDecoder, URL, URLSearchParams];
const spared = new Set([host, console, ...used, ...used.map((value) => value.prototype)]);
const targets = prototypes.concat(globals).filter((value) => !spared.has(value));
const words = (
  "value get set writable enumerable configurable done next then type callback capture once signal " +
  "aborted reason held ref ms repeat args id attempts handleEvent maxByteLength make result base " +
  "open close items keys label columns a b cause stack"
).split(" ").concat(Array.from({ length: 40 }, (_, i) => `${i}`));
const define = Object.defineProperty;
const ownKeys = Reflect.ownKeys;
const describe = Reflect.getOwnPropertyDescriptor;
const poison = (object, key) => {
  define(object, key, { __proto__: null, get: evil, set: evil, configurable: true });
};
// The language itself, or this test, cannot do without these.
const needed = { __proto__: null, name: 1, constructor: 1, length: 1, prototype: 1 };
for (let i = 0; i < words.length; i++) poison(objectPrototype, words[i]);
for (let i = 0; i < 40; i++) poison(Array.prototype, `${i}`);
for (let i = 0; i < targets.length; i++) {
  const keys = ownKeys(targets[i]);
  for (let j = 0; j < keys.length; j++) {
    const found = describe(targets[i], keys[j]);
    if (found && found.configurable && !(keys[j] in needed)) poison(targets[i], keys[j]);
  }
}
for (let i = 0; i < names.length; i++) {
  const found = describe(globalThis, names[i]);
  if (found && found.configurable) poison(globalThis, names[i]);
}
same(ran, 0);
try {
  [][0] = 1; // to be sure that the poison works
} catch {}
same(ran, 1);
ran = 0;

// Timers and sleep.
let fired = 0;
setTimeout((a, b) => { fired += a + b; }, 1, 2, 3);
const interval = setInterval(() => { fired += 10; clearInterval(interval); }, 2);
clearTimeout(setTimeout(evil, 1));
keep(sleep(3), 0);

// Events and abort.
const target = new EventTarget();
let heard = 0;
target.addEventListener("x", () => { heard++; }, { __proto__: null, once: true });
target.addEventListener("x", () => { heard++; });
target.dispatchEvent(new Event("x", { __proto__: null }));
const controller = new AbortController();
const any = AbortSignal.any([controller.signal, AbortSignal.any([controller.signal])]);
any.onabort = () => { heard += 10; };
const handle = watchSignal(any, evil);
watchSignal(any, () => { heard += 100; });
unwatchSignal(any, handle);
keep(sleep(1000, { __proto__: null, signal: any }), 1);
target.addEventListener("y", evil, { __proto__: null, signal: any });
controller.abort();
target.dispatchEvent(new Event("y", { __proto__: null }));
same(heard, 112);
keep(sleep(1, { __proto__: null, signal: AbortSignal.timeout(0) }), 2);

// Errors.
const error = makeError("NotFoundError", "gone", "c", false, 1, "notes.get", 2, "stack");
same(error.message, "gone");
same(errorOperation(error)[1], "notes.get");

// Console.
console.log("%s %d %o", "text", 5, values.list, values);
console.table(values.list);
console.error(error, any);
console.group("g");
console.log(1);
console.groupEnd();
console.count();
console.time();
console.timeEnd();
console.trace();
const text = inspect(values);
assert(text.length > 100, "inspect");

// Encoding.
const bytes = new TextEncoder().encode("a€");
same(new TextDecoder("utf-8", { __proto__: null }).decode(bytes, { __proto__: null }), "a€");
same(new TextEncoder().encodeInto("ab", bytes).written, 2);

// URLs.
const page = new URL("/a?b=c#d", "https://e/");
const { searchParams } = page;
searchParams.append("a", "\u00e9");
searchParams.set("x", "y");
searchParams.delete("x");
searchParams.sort();
same(page.href, "https://e/a?a=%C3%A9&b=c#d");
page.search = "p=q&p=r";
same(searchParams.getAll("p").length, 2);
same(searchParams.entries().next().value[1], "q");
same(new URLSearchParams({ __proto__: null, k: "v" }).get("k"), "v");
same(URL.parse("nope"), null);
page.host = "f:1";
same(page.origin, "https://f:1");

// Clone and freeze.
const clone = structuredClone(cloneable, { __proto__: null, transfer: [buffer] });
same(inspect(clone.map), "Map(1) { 1 => { a: 1 } }");
same(inspect(clone.list), "[ 1, 2, [ 3 ] ]");
same(inspect(clone.bytes), "Uint8Array(2) [ 1, 2 ]");
same(inspect(clone.set), "Set(1) { 1 }");
same(inspect(clone.regexp), "/x/g");
deepFreeze({ a: [1, { b: 2 }] });
same(now() >= 0, true);

// The end: what waits on timers. Only values already here are used.
setTimeout(() => {
  same(ran, 0);
  same(fired, 15);
  same(settled[0], undefined);
  assert(settled.count === 3, "settled");
  finished = true;
}, 10);
var finished = false;
same(ran, 0);
await sleep(20);
assert(finished, "the last timer ran");
same(ran, 0);

// The engine hands over the end of this script in an ordinary object.
delete objectPrototype.value;
delete objectPrototype.then;
