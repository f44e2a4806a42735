// expect: value true
// not: /tmp
// No path of the machine.
export default !JSON.stringify({ ...import.meta }).includes("/");
