// expect: value "RangeError"
let list = [];
for (let i = 0; i < 100000; i++) list = [list];
try { JSON.stringify(list); "text"; } catch (error) { error.name; }
