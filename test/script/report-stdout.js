// args: --report -
// expect: value {"a":[1,"é"]}
// The report takes the place of the value line.
({ a: [1, "é"] });
