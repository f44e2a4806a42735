// stdout: 5 true
const { add } = await import('./lib/add.js');
const again = await import(new URL('./lib/add.js', 'file://' + process.argv[1]).href);
console.log(add(2, 3), again.add === add);
