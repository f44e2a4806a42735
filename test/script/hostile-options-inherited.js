// args: --allow notes.get
// expect: value "Apple pie"
// An options object that is not given is not looked for on a prototype.
Object.prototype.timeout = 0;
Object.prototype.signal = {};
(await notes.get("apple")).title;
