// Deep, wide and long values cost a bounded line.
const { inspect } = host.internals;
const bounded = (value, max = 70000) => {
  const text = inspect(value);
  assert(text.length < max, `${text.length} characters`);
  return text;
};
let deep = {};
for (let i = 0; i < 100000; i++) deep = { deep };
bounded(deep, 200);
console.dir(deep, { depth: Infinity });
console.dir(deep, { depth: 1e9 });
assert(host.lines().length === 2, "deep");
bounded("x".repeat(1e6), 11000);
bounded(Array(100).fill("y".repeat(9000)));
bounded(Object.fromEntries(Array.from({ length: 50000 }, (_, i) => [`key${i}`, i])));
assert(bounded(new Uint8Array(5e6), 1000).endsWith("... 4999900 more items\n]"), "elements");
bounded(Array(4294967295), 100);
const wide = Array(100).fill().map(() => Array(100).fill().map(() => Array(100).fill({})));
bounded(wide);
bounded(new Map(Array.from({ length: 10000 }, (_, i) => [i, i])), 3000);
bounded({ ["k".repeat(100000)]: 1 }, 2000);
const proxies = [];
let chain = {};
for (let i = 0; i < 1000; i++) chain = new Proxy(chain, {});
bounded(chain, 100);
const long = "z".repeat(200000);
console.log(long);
same(host.lines()[0].length, long.length + 2);
