// expect: value "went on"
// stderr: Uncaught RangeError: in a listener
// As in a browser: told, but the others go on.
const controller = new AbortController();
let heard;
controller.signal.addEventListener("abort", () => { throw new RangeError("in a listener"); });
controller.signal.addEventListener("abort", () => { heard = "went on"; });
controller.abort();
heard;
