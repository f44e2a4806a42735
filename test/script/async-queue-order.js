// args: --allow notes.get --max-concurrent 1
// expect: value ["apple","zebra","banana","n01","cherry"]
// operations: created=5 concurrent_max=1
// One at a time: answered in the order of the calls.
const order = [];
const note = (id) => () => order.push(id);
await Promise.all(
  ["apple", "zebra", "banana", "n01", "cherry"].map((id) => notes.get(id).then(note(id), note(id))),
);
order;
