// args: --allow notes.get
// expect: error script AggregateError
// operation: none
await Promise.any([notes.get("zebra"), notes.get("yak")]);
