// stdout: body
function main() { console.log('main'); }
console.log('body');
