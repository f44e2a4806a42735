// expect: value "RangeError"
const replace = () => "a".replace(/a/, replace);
try { replace(); } catch (error) { error.name; }
