// stdout: RangeError true
let depth = 0;
const down = () => { depth++; down(); };
try { down(); } catch (error) { console.log(error.name, depth > 1000); }
