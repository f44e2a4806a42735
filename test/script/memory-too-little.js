// args: --memory-mib 1
// expect: exit 2
// message: --memory-mib
1;
