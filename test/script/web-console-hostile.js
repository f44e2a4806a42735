// expect: value 0
// stderr: [Getter] [Proxy]
// Showing a value runs none of its code.
let ran = 0;
const trap = {
  get() {
    ran++;
  },
  ownKeys() {
    ran++;
    return [];
  },
  getPrototypeOf() {
    ran++;
    return null;
  },
};
const object = {
  get a() {
    ran++;
    return 1;
  },
  toJSON() {
    ran++;
  },
  [Symbol.toPrimitive]() {
    ran++;
  },
};
console.debug(object, new Proxy({}, trap));
console.log("[Getter] [Proxy]");
ran;
