// Nothing hostile runs, and nothing escapes.
let ran = 0;
const trap = () => { ran++; throw new Error("trap"); };
const traps = new Proxy({}, { get: () => trap });
const target = { seen: 1 };
const { proxy, revoke } = Proxy.revocable({}, {});
revoke();
class Tagged { get [Symbol.toStringTag]() { return trap(); } }
Object.defineProperty(Tagged.prototype, "constructor", { get: trap });
const error = new Error("e");
Object.defineProperty(error, "name", { get: trap });
Object.defineProperty(error, "message", { get: trap });
Object.defineProperty(error, "stack", { get: trap });
const regexp = /x/;
Object.defineProperty(regexp, "flags", { get: trap });
Object.defineProperty(regexp, "source", { get: trap });
const date = new Date(0);
date.toISOString = date.getTime = date[Symbol.toPrimitive] = trap;
const named = function () {};
Object.defineProperty(named, "name", { get: trap });
const map = new Map([[1, 2]]);
map.entries = map.forEach = map[Symbol.iterator] = trap;
Object.defineProperty(map, "size", { get: trap });
const inherits = Object.create(new Proxy({}, traps));
const hostile = [
  new Proxy(target, traps), new Proxy(class {}, traps), proxy, new Tagged(), error, regexp, date, named, map,
  inherits, { toJSON: trap, valueOf: trap, [Symbol.toPrimitive]: trap, inspect: trap },
  { [Symbol.for("nodejs.util.inspect.custom")]: trap },
  Object.create(Error.prototype), Object.create(Map.prototype), Object.create(AbortSignal.prototype),
  Event.prototype, DOMException.prototype, globalThis, new Proxy(proxy, traps), Object.create(Tagged.prototype),
];
for (const value of hostile) {
  console.log(value);
  console.log("%o %O %d %i %f", value, value, value, value, value);
  console.table(value);
  console.table([value]);
  console.dir(value, new Proxy({}, traps));
  console.assert(false, value);
  console.count(value);
  console.time(value);
}
same(ran, 0);
console.log("%s", { toString: trap });
same(ran, 1);
const lines = host.lines();
assert(lines.includes("1 { seen: 1 }"), "proxies are looked through");
assert(lines.includes("1 <Revoked Proxy>"), "revoked");
