// expect: limit result
let list = [];
for (let i = 0; i < 200000; i++) list = [list];
list;
