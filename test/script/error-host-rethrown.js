// args: --allow notes.get
// expect: error api NotFoundError
// operation: notes.get
try {
  await notes.get("zebra");
} catch (error) {
  throw error;
}
