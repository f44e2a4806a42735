// expect: value "RangeError"
let proxy = {};
for (let i = 0; i < 100000; i++) proxy = new Proxy(proxy, {});
try { proxy.x; } catch (error) { error.name; }
