// expect: error deadlock
// seconds: 2
let second;
const first = (async () => { await null; return second; })();
second = (async () => { await null; return first; })();
await first;
