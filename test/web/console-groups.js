// Groups indent every line of what is printed inside.
console.group("outer");
console.log("a\nb");
console.groupCollapsed();
console.warn({ long: "x".repeat(40), other: "y".repeat(40) });
console.groupEnd();
console.groupEnd();
console.groupEnd();
console.log("end");
const long = `2     {\n      long: '${"x".repeat(40)}',\n      other: '${"y".repeat(40)}'\n    }`;
same(host.lines().join("|"), `1 outer|1   a\n  b|${long}|1 end`);
for (let i = 0; i < 1000; i++) console.group();
console.log("deep");
assert(host.lines()[0].length < 200, "indentation is bounded");
