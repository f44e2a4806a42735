// args: --allow kv.*
// expect: value [["user:1","user:2"],"user:2",["user:3"],null,["user:1","user:2","user:3"]]
for (const key of ["user:2", "user%", "user:1", "users", "user:3", "use"]) await kv.set(key, key);
const first = await kv.list({ prefix: "user:", limit: 2 });
const second = await kv.list({ prefix: "user:", limit: 2, after: first.next });
const all = await kv.list({ prefix: "user:", timeout: 5000, signal: new AbortController().signal });
[first.keys, first.next, second.keys, second.next, all.keys];
