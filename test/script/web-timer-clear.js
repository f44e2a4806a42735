// expect: value ["kept"]
const log = [];
clearTimeout(setTimeout(() => log.push("cleared"), 1));
clearInterval(setTimeout(() => log.push("cleared by the other name"), 1));
setTimeout(() => log.push("kept"), 1);
clearTimeout(undefined);
clearTimeout(123456);
clearTimeout({});
await sleep(20);
log;
