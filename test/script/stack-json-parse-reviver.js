// expect: value "RangeError"
let value = {};
try {
  JSON.parse("[1]", function reviver(key, x) { if (value) { let list = []; for (let i = 0; i < 100000; i++) list = [list]; value = null; this[0] = list; return list; } return x; });
  const deep = {};
  JSON.parse('{"a":1,"b":2}', function (key, x) { if (key === "a") { let list = []; for (let i = 0; i < 100000; i++) list = [list]; this.b = list; } return x; });
  "revived";
} catch (error) {
  error.name;
}
