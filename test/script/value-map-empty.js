// expect: value [{},[]]
[new Map(), new Set()];
