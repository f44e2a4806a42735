// A cleared timer does not fire, either function clears either kind, and what
// names no timer is ignored.
let fired = 0;
const a = setTimeout(() => fired++, 1);
const b = setInterval(() => fired++, 1);
clearInterval(a);
clearTimeout(String(b));
clearTimeout(12345);
clearTimeout({ valueOf() { fired++; } });
clearTimeout();
await sleep(5);
same(fired, 0);
const first = setTimeout(() => clearTimeout(second), 1);
const second = setTimeout(() => fired++, 1);
await sleep(5);
same(fired, 0);
