// args: --context '{a:1}'
// expect: exit 2
// message: --context
1;
