// stdin: yes
// expect: value "a module from standard input"
export default "a module from standard input";
