// A listener that throws is reported and does not break the others.
const target = new EventTarget();
let reached = false;
target.addEventListener("x", () => { throw new TypeError("bad listener"); });
target.addEventListener("x", { handleEvent: 5 });
target.addEventListener("x", () => { reached = true; });
target.dispatchEvent(new Event("x"));
assert(reached, "the third listener");
const lines = host.lines();
same(lines.length, 2);
assert(lines[0].startsWith("3 Uncaught TypeError: bad listener"), lines[0]);
assert(lines[1].includes("handleEvent is not a function"), lines[1]);
