// args: --allow notes.* --context '{"a":[1]}'
// expect: value {"title":"Apple pie","made":"{}","context":[1]}
JSON.parse = JSON.stringify = () => { throw new Error("replaced"); };
globalThis.JSON = null;
const note = await notes.get("apple");
const made = await notes.create({ title: "{}" });
({ title: note.title, made: made.title, context: context.a });
