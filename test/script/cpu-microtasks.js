// args: --cpu-ms 200
// expect: limit cpu
// leaks: timer
// The job queue never gets empty.
const again = () => queueMicrotask(again);
again();
await sleep(10000);
