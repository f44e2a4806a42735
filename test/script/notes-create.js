// args: --allow notes.*
// expect: value [{"id":"mine","title":"T","body":"B","tags":["x","y"]},true,true]
const made = await notes.create({ id: "mine", title: "T", body: "B", tags: ["x", "y"] });
const got = await notes.get("mine");
const { created, updated, ...rest } = made;
[
  rest,
  JSON.stringify(made) === JSON.stringify(got),
  created === updated && /^\d{4}-.*Z$/.test(created),
];
