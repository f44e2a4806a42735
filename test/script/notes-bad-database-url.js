// args: --allow notes.get --db http://example.com/
// expect: exit 2
// message: sqlite:
1;
