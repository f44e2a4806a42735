// expect: value "done"
// Finalizers may run or not; they must not disturb the end.
const registry = new FinalizationRegistry((held) => { globalThis.last = held; });
(() => { for (let i = 0; i < 100; i++) registry.register({}, i); })();
await sleep(1);
"done";
