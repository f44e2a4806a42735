// stdout: TypeError TypeError
const names = [];
for (const code of ['1', 1.5])
  try { process.exitCode = code; } catch (error) { names.push(error.name); }
console.log(...names);
