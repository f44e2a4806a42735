// expect: value "RangeError"
const compare = () => [2, 1].sort(compare);
try { compare(); } catch (error) { error.name; }
