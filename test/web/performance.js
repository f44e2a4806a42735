// performance.now comes from the host's clock; there is no time origin.
const before = performance.now();
host.elapse(12.5);
same(performance.now() - before, 12.5);
same(performance.timeOrigin, undefined);
