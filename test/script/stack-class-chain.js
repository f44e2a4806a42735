// expect: value "RangeError"
let Class = class {};
for (let i = 0; i < 20000; i++) Class = class extends Class {};
try { new Class(); "made"; } catch (error) { error.name; }
