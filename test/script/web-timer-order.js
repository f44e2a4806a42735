// expect: value ["a","b","c","d"]
// Again when they were not set at about the same time.
let log, took;
do {
  log = [];
  const begun = performance.now();
  setTimeout(() => log.push("d"), 30);
  setTimeout(() => log.push("a"), 0);
  setTimeout(() => log.push("c"), 15);
  setTimeout(() => log.push("b"), 0);
  took = performance.now() - begun;
  await sleep(60);
} while (took > 10);
log;
