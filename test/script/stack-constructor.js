// expect: value "RangeError"
class A { constructor() { new A(); } }
try { new A(); } catch (error) { error.name; }
