// expect: value "object"
// args: --context '{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}}}'
typeof context.a.a.a.a.a.a.a.a.a;
