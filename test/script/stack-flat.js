// expect: value "RangeError"
let list = [];
for (let i = 0; i < 100000; i++) list = [list];
try { list.flat(Infinity); "flat"; } catch (error) { error.name; }
