// Errors made inside natives and the bundle run no guest code.
let ran = 0;
Error.prepareStackTrace = () => { ran++; return "mine"; };
Error.stackTraceLimit = { valueOf() { ran++; return 1; } };
const error = throws(() => null.x, "TypeError");
assert(typeof error.stack === "string" && error.stack.includes("error-hooks.js"), error.stack);
new AbortController().abort();
throws(() => structuredClone(() => {}), "DataCloneError");
same(ran, 0);
same(typeof Error.stackTraceLimit, "number");
Error.stackTraceLimit = 1;
same(new Error("x").stack.trim().split("\n").length, 1);
Error.stackTraceLimit = 0;
same(new Error("x").stack, "");
