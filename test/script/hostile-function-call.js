// args: --allow notes.get
// expect: value ["Apple pie","AbortError","done"]
Function.prototype.call =
  Function.prototype.apply =
  Function.prototype.bind =
    () => {
      throw new Error("replaced");
    };
Reflect.apply = Reflect.construct = () => {
  throw new Error("replaced");
};
const note = await notes.get("apple", { timeout: 5000 });
const aborted = await notes
  .get("apple", { signal: AbortSignal.abort() })
  .catch((error) => error.name);
await sleep(1);
[note.title, aborted, "done"];
