// args: --allow notes.*
// expect: value ["'); DROP TABLE notes; --",26]
const id = "'); DROP TABLE notes; --";
await notes.create({ id, title: id });
[(await notes.get(id)).title, (await notes.list()).items.length];
