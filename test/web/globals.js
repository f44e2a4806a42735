// Every global: descriptor, name, length, and what must not be there.
const functions = {
  setTimeout: 1, setInterval: 1, clearTimeout: 0, clearInterval: 0, sleep: 1, structuredClone: 1, queueMicrotask: 1,
};
const classes = {
  Event: 1, EventTarget: 0, AbortController: 0, AbortSignal: 0, TextEncoder: 0, TextDecoder: 0, DOMException: 0,
  URL: 1, URLSearchParams: 0,
  ApiError: 0, NotFoundError: 0, ConflictError: 0, PermissionError: 0, TimeoutError: 0, AbortError: 0,
};
for (const name of [...Object.keys(functions), ...Object.keys(classes), "console", "performance", "crypto"]) {
  const { writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(globalThis, name);
  assert(writable && !enumerable && configurable, name);
}
for (const [name, length] of [...Object.entries(functions), ...Object.entries(classes)]) {
  same(globalThis[name].name, name);
  same(globalThis[name].length, length);
}
for (const name in functions) throws(() => new globalThis[name](() => {}), "TypeError");
const lengths = { addEventListener: 2, removeEventListener: 2, dispatchEvent: 1 };
for (const name in lengths) same(EventTarget.prototype[name].length, lengths[name]);
same(Object.keys(AbortSignal.prototype).join(), "aborted,reason,throwIfAborted,onabort");
same(`${AbortSignal.any.length}${AbortSignal.timeout.length}${AbortSignal.abort.length}`, "110");
same(`${new AbortController()} ${console} ${performance} ${new TextDecoder()}`,
     "[object AbortController] [object console] [object Performance] [object TextDecoder]");
const methods = "debug log info warn error trace assert dir table group groupCollapsed groupEnd " +
  "count countReset time timeEnd timeLog";
for (const name of methods.split(" ")) {
  same(typeof console[name], "function");
  same(console[name].name, name);
  same(console[name].length, 0);
}
same(typeof vow, "undefined");
