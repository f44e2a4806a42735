// args: --context '{"a":[1,{"b":2}]}'
// expect: value {"got":[1,{"b":2}],"count":1}
function main(context) {
  return { got: context.a, count: arguments.length };
}
