// stdout: end
// status: 0
new Promise(() => {}).then(() => console.log('never'));
console.log('end');
