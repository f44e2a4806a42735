// expect: value ["first"]
// One that is due as well is cleared by the one before it.
const log = [];
setTimeout(() => { log.push("first"); clearTimeout(second); }, 1);
const second = setTimeout(() => log.push("second"), 1);
await sleep(20);
log;
