// expect: value [["b",2],[1,"x"],[null,[[{"k":1},3]]]]
// One key that is no string makes a list of pairs of the whole Map.
new Map([["b", 2], [1, "x"], [null, new Map([[{ k: 1 }, 3]])]]);
