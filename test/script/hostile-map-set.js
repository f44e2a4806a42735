// args: --allow notes.list
// expect: value ["apple",[["k",{"name":"Map"}]]]
// structuredClone and the reading of results use what was there before.
const original = new Map([["k", { name: "Map" }]]);
Map.prototype.set = Set.prototype.add = Map.prototype.get = () => { throw new Error("replaced"); };
const { items } = await notes.list({ limit: 1 });
const copy = structuredClone(original);
[items[0].id, [...copy]];
