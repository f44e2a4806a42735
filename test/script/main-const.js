// args: --context 5
// expect: value 10
const main = async (n) => n * 2;
