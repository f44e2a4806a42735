// args: --allow notes.search
// expect: value [["banana","apple"],["cherry"],["banana"],[]]
const ids = async (text) => (await notes.search(text)).map((note) => note.id);
[
  (await ids("bake")).sort().reverse(),
  await ids("GROßE"),
  await ids("mash bread"),
  await ids("nothing like it"),
];
