// expect: value null
(function named() {});
