// expect: value {"list":[null,null,null],"last":1}
({
  s: Symbol(),
  f() {},
  u: undefined,
  list: [Symbol(), () => 1, undefined],
  last: 1,
  [Symbol("k")]: 2,
});
