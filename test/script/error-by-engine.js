// expect: error script TypeError
// stack: error-by-engine.js:4:
const nothing = undefined;
nothing.property;
