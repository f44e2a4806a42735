// args: --allow kv.*
// expect: value ["TypeError INVALID_ARGUMENT","RangeError OUT_OF_RANGE","RangeError OUT_OF_RANGE","TypeError INVALID_ARGUMENT","TypeError INVALID_ARGUMENT","TypeError undefined","RangeError OUT_OF_RANGE","TypeError INVALID_ARGUMENT"]
const tries = [
  () => kv.get(),
  () => kv.get(""),
  () => kv.set("k".repeat(513), 1),
  () => kv.set("k"),
  () => kv.get("\ud800"),
  () => kv.set("k", () => 1),
  () => kv.set("k", new Uint8Array(1 << 20)),
  () => kv.list({ first: 1 }),
];
const names = [];
for (const call of tries)
  names.push(await call().then(() => "fine", (error) => `${error.name} ${error.code}`));
names;
