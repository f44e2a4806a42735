// args: --cpums 5
// expect: exit 2
// message: --cpu-ms
1;
