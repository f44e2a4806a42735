// args: --allow notes.get
// expect: error script Error
// message: cannot go on
// operation: none
try {
  await notes.get("zebra");
} catch (cause) {
  throw new Error("cannot go on", { cause });
}
