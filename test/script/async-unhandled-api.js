// args: --allow notes.get
// expect: error api NotFoundError
// operation: notes.get
notes.get("zebra");
1;
