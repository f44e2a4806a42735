// expect: error
// The depth of a source that a script compiles itself: error script or limit stack.
const error = (() => { try { eval("(".repeat(100000)); } catch (e) { return e; } })();
throw new Error(error.name);
