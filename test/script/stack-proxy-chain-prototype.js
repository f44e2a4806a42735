// expect: limit stack
// engines: native
let proxy = {};
for (let i = 0; i < 100000; i++) proxy = new Proxy(proxy, {});
Object.getPrototypeOf(proxy);
