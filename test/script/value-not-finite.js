// expect: value [null,null,null]
[NaN, Infinity, -Infinity];
