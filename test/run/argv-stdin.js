// stdin: yes
// args: a
// stdout: [ 'vow', '-', 'a' ]
console.log(process.argv);
