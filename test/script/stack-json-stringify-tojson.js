// expect: value "RangeError"
const object = { toJSON() { return { again: { toJSON: this.toJSON } }; } };
try { JSON.stringify(object); "text"; } catch (error) { error.name; }
