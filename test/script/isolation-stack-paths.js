// expect: value true
// Traces show the name the script was given, and nothing of the machine.
const { stack } = new Error("here");
stack.includes("isolation-stack-paths.js:3:") && !stack.includes("/");
