// args: --allow kv.*
// expect: value [true,true,true,true,true,true,true]
// What crosses the boundary comes back as what it was.
const value = new Map([
  ["date", new Date(5)],
  ["big", 2n ** 70n],
  ["bytes", new Uint8Array([1, 2])],
  ["set", new Set([undefined, NaN, -0])],
]);
await kv.set("a", value);
const back = await kv.get("a");
[
  back instanceof Map,
  back.get("date").getTime() === 5,
  back.get("big") === 2n ** 70n,
  back.get("bytes") instanceof Uint8Array && back.get("bytes")[1] === 2,
  back.get("set").has(undefined) && back.get("set").has(NaN),
  (await kv.get("b")) === undefined,
  (await kv.set("a", "other")) === undefined,
];
