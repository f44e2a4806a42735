// expect: value [{},{},{},{},{"0":1,"1":2}]
[
  /x/g,
  new WeakMap(),
  Promise.resolve(1),
  (function* () {})(),
  (function () {
    return arguments;
  })(1, 2),
];
