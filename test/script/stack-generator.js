// expect: value "RangeError"
function* down() { yield* down(); }
try { down().next(); } catch (error) { error.name; }
