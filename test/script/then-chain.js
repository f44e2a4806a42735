// expect: value "end"
// A thousand thenables deep.
let value = "end";
for (let i = 0; i < 1000; i++) {
  const inner = value;
  value = { then(resolve) { resolve(inner); } };
}
await value;
