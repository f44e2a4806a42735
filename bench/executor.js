// An empty function, for bench_executor.
function nothing() {}
