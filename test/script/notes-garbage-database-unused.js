// notes: garbage
// expect: value 1
// A database that no allowed operation needs is not looked at.
1;
