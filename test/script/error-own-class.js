// expect: error script OutOfCheese
// message: redo from start
class OutOfCheese extends Error {
  get name() { return "OutOfCheese"; }
}
throw new OutOfCheese("redo from start");
