// expect: value "cloned"
// seconds: 10
// The clone needs no stack for depth.
let list = [];
for (let i = 0; i < 50000; i++) list = [list];
structuredClone(list);
"cloned";
