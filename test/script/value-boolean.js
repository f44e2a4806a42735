// expect: value true
!false;
