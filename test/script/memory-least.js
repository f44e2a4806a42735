// args: --memory-mib 8
// expect: value "enough"
"enough";
