// sleep resolves with undefined after its time; bad arguments reject.
const start = performance.now();
const promise = sleep(25);
assert(promise instanceof Promise, "a real promise");
same(await promise, undefined);
same(performance.now() - start, 25);
const outcome = await sleep(1, { signal: {} }).catch((error) => error.name);
same(outcome, "TypeError");
same(await sleep(1, 5).catch((error) => error.name), "TypeError");
same(host.timers(), 0);
