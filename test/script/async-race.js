// args: --allow notes.get
// expect: value "apple"
// leaks: timer
// The loser is awaited before the run ends.
// operations: created=1 fulfilled=1
(await Promise.race([notes.get("apple"), sleep(20000).then(() => ({ id: "slept" }))])).id;
