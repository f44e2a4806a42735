// AbortSignal.any: first reason wins, dependents of dependents, reasons are set
// before anybody is told.
const a = new AbortController();
const b = new AbortController();
const any = AbortSignal.any([a.signal, b.signal]);
const nested = AbortSignal.any([any, AbortSignal.any(new Set([b.signal]))]);
const seen = [];
a.signal.addEventListener("abort", () => seen.push(`source ${any.aborted} ${nested.aborted}`));
any.onabort = () => seen.push("any");
nested.addEventListener("abort", () => seen.push("nested"));
a.abort("why");
b.abort("late");
same(seen.join(), "source true true,any,nested");
same(any.reason, "why");
same(nested.reason, "why");
same(AbortSignal.any([AbortSignal.abort(1), a.signal]).reason, 1);
assert(!AbortSignal.any([]).aborted, "of none");
throws(() => AbortSignal.any([{}]), "TypeError");
throws(() => AbortSignal.any(5), "TypeError");
throws(() => AbortSignal.any(), "TypeError");
