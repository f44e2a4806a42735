// args: --max-ops 10 --allow notes.get
// expect: limit operations
// not: went on
for (;;) {
  try {
    await notes.get("apple");
  } catch {
    console.log("went" + " on");
  }
}
