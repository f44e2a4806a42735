// expect: error script TypeError
// Text is not compiled.
setTimeout("globalThis.evil = 1", 1);
