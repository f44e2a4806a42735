// stdout: true true
const folder = import.meta.dirname;
const a = await import(`${folder}/lib/add.js`);
const b = await import(`file://localhost${folder}/lib/../lib/./add.js`);
console.log(a === b, a === await import('./lib/add.js'));
