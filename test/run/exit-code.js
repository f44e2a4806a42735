// status: 5
// stdout: undefined
// stdout: 5
console.log(process.exitCode);
process.exitCode = 5;
setTimeout(() => console.log(process.exitCode), 1);
