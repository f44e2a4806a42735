// expect: value "RangeError"
// A prototype chain that goes through a proxy back to itself.
const object = {};
Object.setPrototypeOf(object, new Proxy(object, {}));
try { object.missing; } catch (error) { error.name; }
