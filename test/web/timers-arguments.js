// Extra arguments reach the callback; `this` is the global object; ids are numbers.
let got;
const id = setTimeout(function (...args) { got = [this, ...args]; }, 1, "x", 2);
same(typeof id, "number");
assert(id > 0, "id is positive");
await sleep(2);
assert(got[0] === globalThis && got[1] === "x" && got[2] === 2, "arguments");
throws(() => setTimeout("code", 1), "TypeError");
throws(() => setInterval(undefined), "TypeError");
