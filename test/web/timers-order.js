// Timers fire by time, equal ones in the order they were set.
const seen = [];
setTimeout(() => seen.push("c"), 20);
setTimeout(() => seen.push("a"), 10);
setTimeout(() => seen.push("b"), 10);
setTimeout(() => seen.push("now"));
await sleep(30);
same(seen.join(), "now,a,b,c");
