// args: --report x --memory-mib 4000
// expect: exit 2
// message: --memory-mib
1;
