// args: --allow notes.update
// expect: error api NotFoundError
// message: zebra
await notes.update("zebra", { title: "x" });
