// args: --allow notes.get
// expect: value ["Apple pie","RangeError"]
// Getters of the options run once, in the call; what they throw rejects.
const options = {
  get timeout() {
    return 5000;
  },
  get signal() {
    return undefined;
  },
};
const note = await notes.get("apple", options);
const name = await notes
  .get("apple", {
    get timeout() {
      throw new RangeError("no");
    },
  })
  .catch((error) => error.name);
[note.title, name];
