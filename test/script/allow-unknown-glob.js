// args: --allow nothing.*
// expect: exit 2
// message: nothing.*
1;
