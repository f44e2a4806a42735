// A timer the host refuses throws and leaves nothing behind.
host.limitTimers(1);
const id = setTimeout(() => {}, 5);
throws(() => setTimeout(() => {}, 5), "RangeError");
throws(() => AbortSignal.timeout(5), "RangeError");
const controller = new AbortController();
let refused;
await sleep(5, { signal: controller.signal }).catch((error) => { refused = error; });
same(refused.name, "RangeError");
controller.abort();
clearTimeout(id);
same(host.timers(), 0);
host.limitTimers(255);
