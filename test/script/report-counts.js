// args: --allow notes.*
// expect: value 1
// operations: created=4 fulfilled=2 rejected=2 timed_out=0 cancelled=0 late=0 retries=0 cache_hits=0 batched<=4 concurrent_max<=4
await Promise.allSettled([
  notes.get("apple"),
  notes.get("banana"),
  notes.get("zebra"),
  notes.get("yak"),
]);
1;
