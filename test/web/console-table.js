// console.table: rows and columns; plain text for what is no table.
console.table([{ a: 1, b: "x" }, { a: 2, c: null }, 7]);
same(host.lines()[0], "1 " + [
  "┌─────────┬───┬─────┬──────┬────────┐",
  "│ (index) │ a │ b   │ c    │ Values │",
  "├─────────┼───┼─────┼──────┼────────┤",
  "│ 0       │ 1 │ 'x' │      │        │",
  "│ 1       │ 2 │     │ null │        │",
  "│ 2       │   │     │      │ 7      │",
  "└─────────┴───┴─────┴──────┴────────┘",
].join("\n"));
console.table(new Map([["k", { v: 1 }]]));
assert(host.lines()[0].includes("│ 'k'     │ 1 │"), "Map");
console.table([{ a: 1, b: 2 }], ["b"]);
assert(!host.lines()[0].includes(" a "), "columns");
console.table("text");
same(host.lines()[0], "1 text");
console.table([{ get a() { throw 1; } }]);
same(host.lines().length, 1);
