// deepFreeze reaches everything, cycles included, and runs no getter.
const { deepFreeze } = host.internals;
let ran = 0;
const value = {
  list: [1, { deep: [2] }], get getter() { ran++; return {}; }, bytes: new Uint8Array([1, 2]), map: new Map(), fn() {},
};
value.self = value;
value[Symbol.for("s")] = { inner: {} };
assert(deepFreeze(value) === value, "same value");
assert(Object.isFrozen(value) && Object.isFrozen(value.list) && Object.isFrozen(value.list[1].deep), "frozen");
for (const held of [value[Symbol.for("s")].inner, value.map, value.fn]) assert(Object.isFrozen(held), "all kinds");
same(ran, 0);
try { value.bytes[0] = 9; } catch {}
same(value.bytes[0], 1);
same(deepFreeze(5), 5);
deepFreeze(new Proxy({}, { ownKeys() { ran++; } }));
same(ran, 0);
let long = {};
for (let i = 0; i < 50000; i++) long = { long };
deepFreeze(long);
