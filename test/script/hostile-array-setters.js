// args: --allow notes.list
// expect: value {"ids":["apple","banana","cherry"],"stolen":0}
// Setters on prototypes see nothing of a result.
let stolen = 0;
const spy = { configurable: true, get() { return undefined; }, set() { stolen++; } };
for (const key of ["0", "1", "2", "length2"]) Object.defineProperty(Array.prototype, key, spy);
const { items } = await notes.list({ limit: 3 });
const ids = { 0: items[0].id, 1: items[1].id, 2: items[2].id };
for (const key of ["0", "1", "2", "length2"]) delete Array.prototype[key];
({ ids: [ids[0], ids[1], ids[2]], stolen });
