// expect: value {"a":1}
Object.prototype.inherited = "evil";
({ a: 1 });
