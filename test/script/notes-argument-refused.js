// args: --allow notes.create
// expect: value ["TypeError: argument 1.body.deep[1] is a function","TypeError: argument 1.title is a symbol","TypeError","TypeError"]
// operations: created=0
// What cannot cross is refused with its path, by a rejection, and nothing is sent.
const refusal = (note) => notes.create(note).catch((error) => error);
const cycle = { title: "x" };
cycle.body = cycle;
const { proxy, revoke } = Proxy.revocable({}, {});
revoke();
[
  String(await refusal({ body: { deep: [1, () => 2] } })),
  String(await refusal({ title: Symbol("s") })),
  (await refusal(cycle)).name,
  (await refusal({ title: proxy })).name,
];
