// An abort rejects with the signal's reason and stops the timer.
const controller = new AbortController();
const reason = new Error("enough");
setTimeout(() => controller.abort(reason), 5);
let caught;
await sleep(1000, { signal: controller.signal }).catch((error) => { caught = error; });
assert(caught === reason, "the reason");
same(performance.now(), 5);
same(host.timers(), 0);
await sleep(1, { signal: controller.signal }).catch((error) => { caught = [error]; });
assert(caught[0] === reason, "aborted before");
await sleep(3, { signal: new AbortController().signal });
