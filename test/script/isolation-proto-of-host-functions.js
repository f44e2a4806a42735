// args: --allow notes.get
// expect: value [true,true,true]
[
  Object.getPrototypeOf(notes.get) === Function.prototype,
  Object.getPrototypeOf(notes) === Object.prototype,
  notes.get.constructor === Function,
];
