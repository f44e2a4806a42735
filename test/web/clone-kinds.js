// Map, Set, Date, RegExp, boxed values, errors, DOMException.
const { inspect } = host.internals;
const source = {
  map: new Map([[{ k: 1 }, new Map([[1, 2]])]]), set: new Set([[1]]), date: new Date(5), bad: new Date(NaN),
  re: /a\/b/giu, boxed: [Object(1), Object("s"), Object(true), Object(2n)],
};
source.re.lastIndex = 3;
const clone = structuredClone(source);
same(inspect(clone), inspect(source));
assert(clone.map instanceof Map && clone.set instanceof Set && clone.date instanceof Date, "classes");
same(clone.re.lastIndex, 0);
const error = new RangeError("r", { cause: { why: 1 } });
error.extra = 1;
const copy = structuredClone(error);
assert(copy instanceof RangeError && copy.message === "r" && copy.extra === undefined, "error");
same(copy.cause.why, 1);
same(copy.stack, error.stack);
assert(!Object.getOwnPropertyDescriptor(copy, "message").enumerable, "message");
class Custom extends Error { name = "Custom"; }
same(Object.getPrototypeOf(structuredClone(new Custom("c"))), Error.prototype);
const dom = structuredClone(new DOMException("m", "DataError"));
assert(dom instanceof DOMException && dom.name === "DataError" && dom.message === "m", "DOMException");
