// args: --allow notes.list --max-concurrent 2 --max-queued 3
// expect: value {"ended":5,"codes":["RUN_QUEUE_FULL"],"refused":15,"after":true}
// operations: created=21 fulfilled=6 rejected=15 concurrent_max=2
// What would have to wait beyond --max-queued is rejected, and the script goes on.
const all = await Promise.allSettled(Array.from({ length: 20 }, () => notes.list()));
const refused = all.filter((end) => end.status === "rejected").map((end) => end.reason);
({
  ended: all.length - refused.length,
  codes: [...new Set(refused.map((e) => e.name === "ApiError" && e.transient && e.code))],
  refused: refused.length,
  after: (await notes.list()).items.length >= 0,
});
