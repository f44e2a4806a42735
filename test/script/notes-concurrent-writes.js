// args: --allow notes.*
// expect: value [50,75]
const made = await Promise.all(
  Array.from({ length: 50 }, (_, i) => notes.create({ title: `t${i}` })),
);
[new Set(made.map((note) => note.id)).size, (await notes.list()).items.length];
