// expect: value null
// A file without a statement.
