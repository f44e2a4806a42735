// expect: value "RangeError"
// The reviver puts a deep list where the walk is still to go.
const deep = () => {
  let list = [];
  for (let i = 0; i < 100000; i++) list = [list];
  return list;
};
try {
  JSON.parse('{"a":1,"b":2}', function (key, value) {
    if (key === "a") this.b = deep();
    return value;
  });
  "revived";
} catch (error) {
  error.name;
}
