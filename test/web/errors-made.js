// makeError gives the right class and facts.
const { makeError, errorOperation } = host.internals;
const error = makeError("NotFoundError", "no such note", "not_found", false, 7, "notes.get", 3, "    at somewhere\n");
assert(error instanceof NotFoundError, "class");
same(`${error.name}|${error.message}|${error.code}|${error.transient}`, "NotFoundError|no such note|not_found|false");
same(error.stack, "    at somewhere\n");
assert(Object.isFrozen(error.operation), "frozen");
same(JSON.stringify(error.operation), '{"id":7,"name":"notes.get","attempts":3}');
same(JSON.stringify(errorOperation(error)), '[7,"notes.get",3]');
same(Object.keys(error).length, 0);
const type = makeError("TypeError", "bad", undefined, false, undefined, undefined, undefined, undefined);
assert(type instanceof TypeError && !(type instanceof ApiError), "standard class");
same(type.code, undefined);
same(type.operation, undefined);
same(errorOperation(type), undefined);
const odd = makeError("QuotaError", "full", "quota", true, 1, "kv.set", 1);
assert(odd instanceof ApiError && odd.name === "QuotaError" && odd.transient === true, "unknown name");
same(typeof odd.stack, "string");
same(makeError("toString", "m").name, "toString");
