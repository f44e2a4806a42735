// options: --op-timeout-ms 50 --db sqlite:timeout.db
// lock: timeout.db
// stdout: TimeoutError
try { await kv.set('a', 1); } catch (error) { console.log(error.name); }
