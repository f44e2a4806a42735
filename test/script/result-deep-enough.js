// expect: size 400
let list = [];
for (let i = 0; i < 199; i++) list = [list];
list;
