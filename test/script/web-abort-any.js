// expect: value [true,"b",false,false]
const a = new AbortController(), b = new AbortController();
const any = AbortSignal.any([a.signal, b.signal]);
b.abort("b");
[any.aborted, any.reason, a.signal.aborted, AbortSignal.any([]).aborted];
