// args: one --two=2 -- -x
// stdout: vow true [ 'one', '--two=2', '--', '-x' ]
console.log(process.argv[0], process.argv[1].endsWith('/argv.js') && process.argv[1][0] === '/',
  process.argv.slice(2));
