// queueMicrotask and promises run before timers.
const seen = [];
setTimeout(() => seen.push("timer"), 0);
queueMicrotask(() => seen.push("micro"));
Promise.resolve().then(() => seen.push("then"));
await sleep(1);
same(seen.join(), "micro,then,timer");
