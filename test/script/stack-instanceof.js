// expect: value "RangeError"
class A { static [Symbol.hasInstance](x) { return x instanceof A; } }
try { ({}) instanceof A; } catch (error) { error.name; }
