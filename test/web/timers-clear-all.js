// clearTimers() of the bridge drops every timer here and at the host.
setTimeout(() => assert(false, "fired"), 1);
setInterval(() => assert(false, "fired"), 1);
sleep(1);
AbortSignal.timeout(1);
same(host.timers(), 4);
host.internals.clearTimers();
same(host.timers(), 0);
await sleep(3);
