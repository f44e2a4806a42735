// args: --allow notes.get
// expect: value "banana"
// operations: created=3 fulfilled=1 rejected=2
(await Promise.any([notes.get("zebra"), notes.get("banana"), notes.get("yak")])).id;
