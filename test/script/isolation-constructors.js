// expect: value ["undefined","undefined","undefined","undefined","object"]
// Code made from text lives in the same world.
const text = "return typeof process + typeof std";
const AsyncFunction = (async () => {}).constructor;
const GeneratorFunction = (function* () {}).constructor;
[
  new Function("return typeof process")(),
  await new AsyncFunction("return typeof require")(),
  [...new GeneratorFunction("yield typeof std")()][0],
  (0, eval)("typeof SharedArrayBuffer"),
  typeof new Function("return this")().context,
];
