// args: --allow notes.get --vault=
// expect: exit 2
// message: vault
1;
