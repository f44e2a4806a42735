// Listeners: order, duplicates, objects with handleEvent, removal, result.
const target = new EventTarget();
const seen = [];
const first = function (event) {
  seen.push("first");
  assert(this === target && event.currentTarget === target, "this");
  same(event.eventPhase, Event.AT_TARGET);
  same(event.composedPath()[0], target);
};
const object = { handleEvent(event) { seen.push("object"); assert(this === object, "this"); event.preventDefault(); } };
target.addEventListener("x", first);
target.addEventListener("x", first);
target.addEventListener("x", first, true);
target.addEventListener("x", object);
target.addEventListener("y", () => seen.push("y"));
target.addEventListener("x", null);
const event = new Event("x", { cancelable: true });
same(target.dispatchEvent(event), false);
same(seen.join(), "first,first,object");
same(event.currentTarget, null);
assert(event.target === target, "target stays");
target.removeEventListener("x", first);
target.removeEventListener("x", first, { capture: true });
target.removeEventListener("x", object);
same(target.dispatchEvent(new Event("x")), true);
same(seen.length, 3);
throws(() => target.addEventListener("x"), "TypeError");
throws(() => target.addEventListener("x", 5), "TypeError");
throws(() => target.dispatchEvent({ type: "x" }), "TypeError");
class Mine extends EventTarget { constructor() { super(); this.n = 1; } }
let hit = 0;
const mine = new Mine();
mine.addEventListener("z", () => hit++);
mine.dispatchEvent(new (class Special extends Event {})("z"));
same(hit, 1);
