// args: --memory-mib 16
// expect: limit memory
// not: went on
// The limit was hit, whatever the script makes of the exception.
try {
  new ArrayBuffer(1 << 30);
} catch {
  console.log("went" + " on");
}
1;
