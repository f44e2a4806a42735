// AbortSignal.abort and AbortSignal.timeout.
const aborted = AbortSignal.abort();
same(aborted.reason.name, "AbortError");
same(AbortSignal.abort(7).reason, 7);
const signal = AbortSignal.timeout(10);
let at = -1;
signal.onabort = () => { at = performance.now(); };
await sleep(20);
same(at, 10);
same(signal.reason.name, "TimeoutError");
assert(signal.reason instanceof DOMException, "DOMException");
throws(() => AbortSignal.timeout(-1), "TypeError");
throws(() => AbortSignal.timeout(Infinity), "TypeError");
throws(() => AbortSignal.timeout(), "TypeError");
