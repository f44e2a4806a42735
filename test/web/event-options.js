// once, passive and signal.
const target = new EventTarget();
let count = 0;
target.addEventListener("x", () => { count++; target.dispatchEvent(new Event("x")); }, { once: true });
target.dispatchEvent(new Event("x"));
same(count, 1);
target.addEventListener("p", (event) => event.preventDefault(), { passive: true });
same(target.dispatchEvent(new Event("p", { cancelable: true })), true);
const controller = new AbortController();
target.addEventListener("s", () => count++, { signal: controller.signal });
target.dispatchEvent(new Event("s"));
controller.abort();
target.dispatchEvent(new Event("s"));
same(count, 2);
target.addEventListener("s", () => count++, { signal: controller.signal });
target.dispatchEvent(new Event("s"));
same(count, 2);
throws(() => target.addEventListener("s", () => {}, { signal: {} }), "TypeError");
