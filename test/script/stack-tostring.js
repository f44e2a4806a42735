// expect: value "RangeError"
const object = { toString() { return `${this}`; } };
try { `${object}`; } catch (error) { error.name; }
