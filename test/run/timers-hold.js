// stdout: one
// stdout: two
// stdout: three
setTimeout(() => { console.log('two'); setTimeout(() => console.log('three'), 5); }, 5);
console.log('one');
