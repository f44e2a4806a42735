// A guest that changes what our classes inherit from does not reach makeError,
// signals or events.
let ran = 0;
const evil = function () { ran++; return {}; };
const { makeError } = host.internals;
for (const constructor of [ApiError, NotFoundError, AbortSignal, Event, EventTarget])
  Object.setPrototypeOf(constructor, evil);
Object.setPrototypeOf(NotFoundError.prototype, {});
const error = makeError("NotFoundError", "m", "c", false, 1, "x", 1);
assert(error instanceof NotFoundError && Object.getPrototypeOf(error) === NotFoundError.prototype, "class");
const controller = new AbortController();
let told = false;
controller.signal.addEventListener("abort", () => { told = true; });
controller.abort();
assert(told, "event");
same(ran, 0);
