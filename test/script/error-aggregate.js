// expect: error script AggregateError
// message: several
throw new AggregateError([new Error("a"), new Error("b")], "several");
