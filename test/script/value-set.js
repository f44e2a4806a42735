// expect: value [1,"a",null,[2]]
new Set([1, "a", undefined, new Set([2])]);
