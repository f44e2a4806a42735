// args: --allow notes.get
// expect: value true
// Functions of the platform show no source.
const functions = [
  notes.get,
  setTimeout,
  sleep,
  structuredClone,
  AbortSignal.any,
  console.log,
  TextEncoder,
  performance.now,
];
functions.every((f) => /\[native code\]/.test(Function.prototype.toString.call(f)));
