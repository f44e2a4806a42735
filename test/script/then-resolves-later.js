// expect: value "from a timer"
await { then(resolve) { setTimeout(resolve, 5, "from a timer"); } };
