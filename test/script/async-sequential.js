// args: --allow notes.get
// expect: value 25
// operations: created=25 fulfilled=25 concurrent_max=1
let count = 0;
for (const id of [
  "apple",
  "banana",
  "cherry",
  ...Array.from({ length: 22 }, (_, i) => `n${String(i).padStart(2, "0")}`),
])
  count += (await notes.get(id)).id === id;
count;
