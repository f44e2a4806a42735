// args: --context '{"a":{"b":1}}'
// expect: value [1,"undefined"]
Object.prototype.b = 2;
[context.a.b, typeof context.zzz];
