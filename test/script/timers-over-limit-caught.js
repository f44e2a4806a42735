// expect: limit operations
// not: went on
try {
  for (;;) setTimeout(() => {}, 20000);
} catch {
  console.log("went" + " on");
}
1;
