// args: --db sqlite:no/such/folder/vow.db --allow notes.get
// notes: none
// expect: exit 2
// message: no/such/folder/vow.db
1;
