// args: --context '{"n":4}'
// expect: value 5
export default ({ n }) => n + 1;
