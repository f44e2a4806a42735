// expect: value "refused"
// Comments in code name no file to be read.
//# sourceMappingURL=file:///etc/passwd
const text = "/*\n//# sourceURL=/etc/passwd\n*/ throw new Error('x')";
try { eval(text); } catch (error) { error.stack.includes("root:") ? "read" : "refused"; }
