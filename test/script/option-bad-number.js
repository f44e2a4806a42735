// args: --cpu-ms many
// expect: exit 2
// message: --cpu-ms
1;
