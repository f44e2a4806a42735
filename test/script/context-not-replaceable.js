// args: --context '{"a":1}'
// expect: value [1,1]
// main is given the true one.
try { context = { a: 2 }; } catch {}
try { Object.defineProperty(globalThis, "context", { value: { a: 3 } }); } catch {}
function main(given) { return [given.a, context.a]; }
