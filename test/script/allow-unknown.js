// args: --allow notes.get,notes.frobnicate
// expect: exit 2
// message: notes.frobnicate
// message: notes.update
1;
