// args: --allow notes.*
// expect: value [{"id":"apple","title":"Apple pie","body":"new","tags":["food","sweet"],"created":"2026-01-02T03:04:05.006Z"},true,true]
const before = await notes.get("apple");
const { updated, ...rest } = await notes.update("apple", { body: "new" });
[rest, updated > before.updated, (await notes.get("apple")).body === "new"];
