// args: --wall-ms 300
// expect: limit timeout
// not: went on
// leaks: timer
try {
  await sleep(20000);
} catch {
  console.log("went" + " on");
} finally {
  console.log("went" + " on");
}
