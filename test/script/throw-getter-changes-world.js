// expect: error script Error
// message: told
// leaks: timer
// Describing runs the script's getters: what they do must not disturb the report.
const error = new Error();
Object.defineProperty(error, "message", {
  get() {
    setTimeout(() => {}, 1);
    Promise.reject(new Error("meanwhile"));
    queueMicrotask(() => { throw new Error("a microtask"); });
    return "told";
  },
});
throw error;
