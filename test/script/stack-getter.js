// expect: value "RangeError"
const object = { get a() { return this.a; } };
try { object.a; } catch (error) { error.name; }
