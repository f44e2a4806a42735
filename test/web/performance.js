// performance.now comes from the host's clock; the time origin is when it was zero.
const before = performance.now();
host.elapse(12.5);
same(performance.now() - before, 12.5);
const origin = performance.timeOrigin;
assert(Math.abs(Date.now() - performance.now() - origin) < 60000, "origin");
host.elapse(5);
same(performance.timeOrigin, origin);
