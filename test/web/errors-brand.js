// Only the bridge brands errors; nothing forges or intercepts the brand.
const { makeError, errorOperation } = host.internals;
const real = makeError("ApiError", "m", "c", false, 7, "x", 1);
let ran = 0;
const trap = new Proxy({}, { get: () => () => { ran++; return undefined; } });
const { proxy, revoke } = Proxy.revocable(real, {});
revoke();
const forged = Object.create(real, { operation: { value: real.operation } });
Object.setPrototypeOf(forged, real);
const copy = Object.create(Object.getPrototypeOf(real), Object.getOwnPropertyDescriptors(real));
const others = [
  new ApiError("m"), forged, copy, new Proxy(real, trap), proxy, null, undefined, 5, "x", Symbol(), {}, () => {},
];
for (const value of others) same(errorOperation(value), undefined);
same(ran, 0);
Object.defineProperty(real, "operation", { get() { ran++; } });
Object.setPrototypeOf(real, null);
Object.freeze(real);
same(errorOperation(real)[0], 7);
same(ran, 0);
