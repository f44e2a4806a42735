// args: --allow notes.search
// expect: value [3,22,"RangeError"]
[
  (await notes.search("plain", { limit: 3 })).length,
  (await notes.search("plain", { limit: 1000 })).length,
  await notes.search("plain", { limit: 0 }).catch((error) => error.name),
];
