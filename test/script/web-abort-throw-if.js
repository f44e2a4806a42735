// expect: value ["fine","AbortError","why"]
const error = (signal) => {
  try {
    signal.throwIfAborted();
    return "fine";
  } catch (e) {
    return e;
  }
};
[
  error(new AbortController().signal),
  error(AbortSignal.abort()).name,
  error(AbortSignal.abort("why")),
];
