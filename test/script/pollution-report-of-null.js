// expect: error script
// message: null
// operation: none
// not: evil
Object.prototype.name = Object.prototype.message = Object.prototype.stack = "ev" + "il";
throw null;
