// args: --allow notes.get
// expect: value ["AbortError","AbortError"]
// A call made while its signal is being aborted.
const controller = new AbortController();
const { signal } = controller;
const inner = new Promise((resolve) => {
  signal.addEventListener("abort", () =>
    notes.get("apple", { signal }).catch((error) => resolve(error.name)),
  );
});
const outer = notes.get("apple", { signal }).catch((error) => error.name);
controller.abort();
[await outer, await inner];
