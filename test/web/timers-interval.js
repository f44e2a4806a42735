// An interval goes on after its callback, also when that throws, until cleared.
let count = 0;
const id = setInterval(() => {
  count++;
  host.elapse(3); // the callback's own time comes before the next wait
  if (count === 2) throw new RangeError("second");
  if (count === 3) clearInterval(id);
}, 10);
await sleep(100);
same(count, 3);
const thrown = host.thrown();
same(thrown.length, 1);
same(thrown[0].message, "second");
same(host.timers(), 0);
