// args: --allow kv.*
// expect: value [20,20,"k07"]
// operations: created=61 fulfilled=61
const keys = Array.from({ length: 20 }, (_, i) => `k${String(i).padStart(2, "0")}`);
await Promise.all(keys.map((key) => kv.set(key, { key })));
const back = await Promise.all(keys.map((key) => kv.get(key)));
const { keys: listed } = await kv.list();
await Promise.all(keys.map((key) => kv.delete(key)));
[back.filter((value, i) => value.key === keys[i]).length, listed.length, listed[7]];
