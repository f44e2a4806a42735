// expect: value "7 as text"
BigInt.prototype.toJSON = function () { return `${this} as text`; };
7n;
