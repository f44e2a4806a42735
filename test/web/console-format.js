// Format strings as in Node.
const shows = (expected, ...args) => {
  console.log(...args);
  same(host.lines()[0], `1 ${expected}`);
};
shows("a 1 b", "a", 1, "b");
shows("", "");
shows("x:1 y:-0 z:5n", "x:%s y:%s z:%s", 1, -0, 5n);
shows("42.5 42 42.5 NaN NaN", "%d %i %f %d %i", "42.5", "42.5", "42.5x", {}, Symbol("s"));
shows('{"a":1} % left', "%j %% %cleft", { a: 1 }, "color: red");
shows("[Circular]", "%j", (() => { const o = {}; o.o = o; return o; })());
shows("mine", "%s", { toString() { return "mine"; } });
shows("{ a: [Object] } [ 1 ]", "%s", { a: { b: 1 } }, [1]);
shows("{ a: { b: { c: { d: 1 } } } }".replace("{ d: 1 }", "[Object]"), "%O", { a: { b: { c: { d: 1 } } } });
shows("{\n  a: { b: { c: { d: 1 } } }\n}", "%o", { a: { b: { c: { d: 1 } } } });
shows("%x 1", "%x", 1);
shows("%s", "%s");
shows("100% 5", "100%", 5);
shows("only %s", "%s %s", "only");
shows("null undefined Symbol(a)", "%s %s %s", null, undefined, Symbol("a"));
console.log();
same(host.lines()[0], "1 ");
