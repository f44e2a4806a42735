// stdin: yes
// expect: value "from standard input"
"from standard input";
