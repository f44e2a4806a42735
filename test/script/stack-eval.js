// expect: value "RangeError"
const down = () => eval("down()");
try { down(); } catch (error) { error.name; }
