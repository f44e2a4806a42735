// The onabort attribute: exchanged in place, cleared by null, errors reported.
const seen = [];
const controller = new AbortController();
const { signal } = controller;
same(signal.onabort, null);
signal.onabort = () => seen.push("old");
signal.addEventListener("abort", () => seen.push("listener"));
const handler = () => { seen.push("new"); throw new Error("in handler"); };
signal.onabort = handler;
assert(signal.onabort === handler, "getter");
controller.abort();
same(seen.join(), "new,listener");
assert(host.lines()[0].includes("in handler"), "reported");
const quiet = new AbortController();
quiet.signal.onabort = () => seen.push("never");
quiet.signal.onabort = 5;
same(quiet.signal.onabort, null);
quiet.abort();
same(seen.length, 2);
