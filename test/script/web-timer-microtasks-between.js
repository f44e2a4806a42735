// expect: value ["one","micro of one","two","micro of two"]
// The jobs of one timer run before the next timer, as in Node.
const log = [];
setTimeout(() => { log.push("one"); queueMicrotask(() => log.push("micro of one")); }, 1);
setTimeout(() => { log.push("two"); queueMicrotask(() => log.push("micro of two")); }, 1);
await sleep(20);
log;
