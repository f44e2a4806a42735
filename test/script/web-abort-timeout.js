// expect: value [false,true,"TimeoutError"]
const signal = AbortSignal.timeout(5);
const before = signal.aborted;
await new Promise((resolve) => signal.addEventListener("abort", resolve));
[before, signal.aborted, signal.reason.name];
