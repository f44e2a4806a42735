// args: --allow notes.get
// expect: value "mine"
// A script may shadow what it was given.
const get = notes.get;
notes.get = async (id) => (id === "mine" ? "mine" : get(id));
await notes.get("mine");
