// expect: error script RangeError
class A {
  static { throw new RangeError("in a static block"); }
}
