// args: --allow kv.*
// expect: value [["a","b","more"],["b"],["a","b"],["a","b"],[1,9,9,1],true]
// What is done to one of many rows that were alike shows in no other.
await kv.set("rows", Array.from({ length: 4 }, () => ({ a: 1, b: 1 })));
const rows = await kv.get("rows");
rows[0].more = 1;
delete rows[1].a;
rows[2].a = 9;
Object.defineProperty(rows[3], "b", { get: () => 9 });
Object.freeze(rows[0]);
[...rows.map((row) => Object.keys(row)),
 [rows[0].a, rows[2].a, rows[3].b, (await kv.get("rows"))[2].a],
 rows.every((row) => Object.getPrototypeOf(row) === Object.prototype)];
