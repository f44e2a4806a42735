// args: --allow notes.list
// expect: value [25,null]
const { items, next } = await notes.list();
[items.length, next];
