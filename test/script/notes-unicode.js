// args: --allow notes.*
// expect: value ["Zoë 😀 日本","a\nb\u0000c","NotFoundError"]
await notes.create({ id: "ключ", title: "Zoë 😀 日本", body: "a\nb\0c" });
const note = await notes.get("ключ");
[note.title, note.body, await notes.get("Ключ").catch((error) => error.name)];
