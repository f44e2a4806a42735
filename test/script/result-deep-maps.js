// expect: limit result
let map = new Map();
for (let i = 0; i < 1000; i++) map = new Map([["k", map]]);
map;
