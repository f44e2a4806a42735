// args: --allow notes.get
// expect: value "Apple pie"
// The run attaches to main's promise without the replaced method.
Promise.prototype.then = () => { throw new Error("replaced"); };
async function main() {
  return (await notes.get("apple")).title;
}
