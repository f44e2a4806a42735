// What a callback throws goes to the host; the other timers go on.
let after = false;
setTimeout(() => { throw new TypeError("mine"); }, 1);
setTimeout(() => { after = true; }, 1);
await sleep(2);
assert(after, "the next timer fired");
same(host.thrown()[0].message, "mine");
