// expect: value {"own":1,"got":2}
// Own enumerable properties, getters called; nothing inherited.
class A {
  own = 1;
  #hidden = 3;
  get inherited() { return 4; }
}
const a = new A();
Object.defineProperty(a, "got", { enumerable: true, get: () => 2 });
Object.defineProperty(a, "quiet", { enumerable: false, value: 5 });
a;
