// Errors: head, frames, own properties, cause.
const { inspect } = host.internals;
const error = new TypeError("bad", { cause: new Error("why") });
error.extra = 1;
const text = inspect(error);
assert(text.startsWith("TypeError: bad\n    at "), text);
assert(text.includes("extra: 1") && text.includes("[cause]: Error: why\n"), text);
class Mine extends Error {}
assert(inspect(new Mine("m")).startsWith("Mine: m\n"), "class name");
const bare = new Error("no frames");
bare.stack = "";
same(inspect([bare]), "[ [Error: no frames] ]");
assert(inspect(new DOMException("m", "DataError")).startsWith("DataError: m"), "DOMException");
const api = host.internals.makeError("NotFoundError", "no note", "not_found", false, 3, "notes.get", 1, "at x");
assert(inspect(api).includes("NotFoundError: no note\nat x {"), inspect(api));
assert(inspect(api).includes("operation"), inspect(api));
