// args: --log-kib 1
// expect: limit output
// not: went on
try {
  for (;;) console.log("again");
} catch {
  console.log("went" + " on");
}
