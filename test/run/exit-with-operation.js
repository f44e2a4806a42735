// status: 2
// options: --db sqlite:exit.db
notes.list();
process.exit(2);
