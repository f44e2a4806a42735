// A source keeps no dependent nobody listens to, and keeps one somebody does.
const source = new AbortController();
const round = () => { for (let i = 0; i < 2000; i++) AbortSignal.any([source.signal]); };
round();
const before = host.heap();
round();
round();
assert(host.heap() - before < 20000, `grew by ${host.heap() - before} bytes`);
let heard = 0;
(() => { AbortSignal.any([AbortSignal.any([source.signal])]).addEventListener("abort", () => heard++); })();
(() => { host.internals.watchSignal(AbortSignal.any([source.signal]), () => heard++); })();
host.heap();
round();
source.abort();
same(heard, 2);
