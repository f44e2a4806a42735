// Each method has its level.
console.debug("d");
console.log("l");
console.info("i");
console.warn("w");
console.error("e");
console.assert(true, "no");
console.assert(false);
console.assert(0, "values %d", 3);
console.assert("", { a: 1 });
console.dir({ a: { b: { c: { d: 1 } } } }, { depth: 0 });
same(host.lines().join("|"),
     "0 d|1 l|1 i|2 w|3 e|3 Assertion failed|3 Assertion failed: values 3|" +
     "3 Assertion failed { a: 1 }|1 { a: [Object] }");
(function outer() { console.trace("here"); })();
const trace = host.lines()[0];
assert(trace.startsWith("1 Trace: here\n    at ") && trace.includes("outer"), trace);
assert(!trace.includes("vow:web"), trace);
