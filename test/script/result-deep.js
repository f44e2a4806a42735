// expect: limit result
let list = [];
for (let i = 0; i < 300; i++) list = [list];
list;
