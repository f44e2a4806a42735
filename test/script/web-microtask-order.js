// expect: value ["sync","micro 1","then","micro 2","timer"]
const log = [];
setTimeout(() => log.push("timer"), 0);
queueMicrotask(() => { log.push("micro 1"); queueMicrotask(() => log.push("micro 2")); });
Promise.resolve().then(() => log.push("then"));
log.push("sync");
await sleep(20);
log;
