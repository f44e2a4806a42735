// expect: value ["abort",true,"once","handler"]
const controller = new AbortController();
const log = [];
controller.signal.addEventListener(
  "abort",
  (event) => log.push(event.type, event.target === controller.signal),
  { once: true },
);
controller.signal.addEventListener("abort", () => log.push("once"), { once: true });
controller.signal.onabort = () => log.push("handler");
controller.abort();
controller.abort();
log;
