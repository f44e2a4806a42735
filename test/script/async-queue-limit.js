// args: --allow notes.get --max-concurrent 3
// expect: value 20
// operations: created=20 fulfilled=20 concurrent_max=3
(await Promise.all(Array.from({ length: 20 }, () => notes.get("apple")))).length;
