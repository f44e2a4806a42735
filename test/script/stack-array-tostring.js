// expect: value "RangeError"
let list = [];
for (let i = 0; i < 100000; i++) list = [list];
try { String(list); "flat"; } catch (error) { error.name; }
