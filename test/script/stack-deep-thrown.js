// expect: error script
// Describing what is nested deeply.
let list = [];
for (let i = 0; i < 100000; i++) list = [list];
throw list;
