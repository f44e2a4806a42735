// expect: limit operations
// not: went on
// leaks: timer*100
try {
  for (;;) setTimeout(() => {}, 20000);
} catch {
  console.log("went" + " on");
}
1;
