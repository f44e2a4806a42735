// stopImmediatePropagation, changes while dispatching, and dispatching twice.
const target = new EventTarget();
const seen = [];
const late = () => seen.push("late");
target.addEventListener("x", () => {
  seen.push("a");
  target.addEventListener("x", late);
  target.removeEventListener("x", gone);
});
const gone = () => seen.push("gone");
target.addEventListener("x", gone);
target.dispatchEvent(new Event("x"));
same(seen.join(), "a");
target.removeEventListener("x", late);
target.addEventListener("stop", (event) => { seen.push("s"); event.stopImmediatePropagation(); });
target.addEventListener("stop", () => seen.push("never"));
const event = new Event("stop");
target.dispatchEvent(event);
same(seen.join(), "a,s");
target.addEventListener("again", (again) => throws(() => target.dispatchEvent(again), "InvalidStateError"));
target.dispatchEvent(new Event("again"));
same(host.lines().length, 0);
event.stopPropagation();
target.dispatchEvent(event);
same(seen.join(), "a,s");
