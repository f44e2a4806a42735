// signal: INT
// expect: cancelled
// not: went on
// leaks: timer
try {
  console.log("ready");
  await sleep(20000);
} finally {
  console.log("went" + " on");
}
