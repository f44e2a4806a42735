// expect: value "RangeError"
let iterator = [1].values();
for (let i = 0; i < 50000; i++) iterator = iterator.map((x) => x);
try { iterator.next().value; } catch (error) { error.name; }
