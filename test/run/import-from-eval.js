// stdout: 7
const load = new Function('name', 'return import(name)');
console.log((await load('./lib/add.js')).add(3, 4));
