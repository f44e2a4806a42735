// expect: error deadlock
// seconds: 2
await { then() {} };
