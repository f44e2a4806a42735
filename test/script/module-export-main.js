// args: --context '{"n":4}'
// expect: value 16
export async function main({ n }) { return n * n; }
