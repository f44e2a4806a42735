// args: --allow notes.create
// expect: value ["TypeError: argument 1.body.deep[1] is a function","TypeError: argument 1.title is a symbol","TypeError","TypeError",0]
// What cannot cross is refused with its path, by a rejection, and nothing is sent.
const text = (note) => notes.create(note).then(() => "fine", (error) => `${error.name}: ${error.message}`);
const cycle = { title: "x" };
cycle.body = cycle;
const { proxy, revoke } = Proxy.revocable({}, {});
revoke();
const first = (await text(cycle)).split(":")[0];
const second = (await text({ title: proxy })).split(":")[0];
[await text({ body: { deep: [1, () => 2] } }), await text({ title: Symbol("s") }), first, second, 0];
