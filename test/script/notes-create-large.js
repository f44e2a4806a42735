// args: --allow notes.*
// expect: value [1048576,"RangeError"]
const body = "x".repeat(1 << 20);
const { id } = await notes.create({ title: "large", body });
const note = await notes.get(id);
[
  note.body === body && note.body.length,
  await notes.create({ title: "larger", body: `${body}x` }).catch((e) => e.name),
];
