// args: --allow notes.*
// expect: value [true,false,"NotFoundError",24]
[
  await notes.delete("apple"),
  await notes.delete("apple"),
  await notes.get("apple").catch((error) => error.name),
  (await notes.list()).items.length,
];
