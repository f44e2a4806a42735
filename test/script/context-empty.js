// args: --context=
// expect: exit 2
// message: --context
1;
