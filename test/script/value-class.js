// expect: value null
class A {}
A;
