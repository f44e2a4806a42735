// expect: size 512
let list = [];
for (let i = 0; i < 255; i++) list = [list];
list;
