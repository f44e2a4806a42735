// as: noextension
// expect: value 1
1;
