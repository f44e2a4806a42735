// expect: error script TypeError
// operation: none
// not: evil
Object.prototype.kind = "internal";
Object.prototype.code = "ev" + "il";
Object.prototype.operation = { id: 666, name: "ev" + "il", attempts: 6 };
Object.prototype.outcome = "value";
null.x;
