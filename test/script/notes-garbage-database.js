// args: --allow notes.get
// notes: garbage
// expect: exit 2
// message: vow.db
1;
