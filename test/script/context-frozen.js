// args: --context '{"a":{"b":[1,{"c":2}]}}'
// expect: value [true,true,true,true,2]
context.a.b[1].c = 5;
context.added = 1;
[
  Object.isFrozen(context),
  Object.isFrozen(context.a),
  Object.isFrozen(context.a.b),
  Object.isFrozen(context.a.b[1]),
  context.a.b[1].c,
];
