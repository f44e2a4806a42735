// expect: value ["a","b","c","d"]
const log = [];
setTimeout(() => log.push("d"), 30);
setTimeout(() => log.push("a"), 0);
setTimeout(() => log.push("c"), 15);
setTimeout(() => log.push("b"), 0);
await sleep(60);
log;
