// args: --allow notes.*
// expect: value [[],["a b","ü"]]
[
  (await notes.update("apple", { tags: [] })).tags,
  (await notes.update("banana", { tags: ["a b", "ü"] })).tags,
];
