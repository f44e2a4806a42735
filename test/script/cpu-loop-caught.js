// args: --cpu-ms 200
// expect: limit cpu
// not: went on
// The end by a limit cannot be caught.
for (;;) {
  try {
    for (;;);
  } catch {
    console.log("went" + " on");
  } finally {
    console.log("went" + " on");
  }
}
