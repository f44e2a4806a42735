// args: --context '"text"'
// expect: value "text"
context;
