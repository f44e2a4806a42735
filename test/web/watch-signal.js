// The bridge's view of a signal: unseen by the guest, once, removable.
const { watchSignal, unwatchSignal, signalReason } = host.internals;
const controller = new AbortController();
const { signal } = controller;
const seen = [];
const gone = watchSignal(signal, () => seen.push("gone"));
assert(gone !== null, "a handle");
watchSignal(signal, () => { throw new Error("from the bridge"); });
watchSignal(signal, (reason) => seen.push(reason));
signal.addEventListener("abort", (event) => event.stopImmediatePropagation());
unwatchSignal(signal, gone);
unwatchSignal(signal, gone);
controller.abort("r");
same(seen.join(), "r");
same(signalReason(signal), "r");
same(watchSignal(signal, () => {}), null);
unwatchSignal(signal, null);
assert(host.lines()[0].includes("from the bridge"), "reported");
for (const bad of [undefined, {}, 5, new EventTarget(), new Proxy(signal, {})])
  throws(() => watchSignal(bad, () => {}), "TypeError");
