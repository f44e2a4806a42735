// expect: value "RangeError"
function down() { return Reflect.apply(down, null, []); }
try { down(); } catch (error) { error.name; }
