// expect: value {"b":1,"a":{"x":2}}
new Map([["b", 1], ["a", new Map([["x", 2], ["gone", undefined]])]]);
