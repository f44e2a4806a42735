// expect: value true
// performance.now goes in steps of a millisecond or more.
const steps = [];
let last = performance.now();
const end = Date.now() + 60;
while (Date.now() < end) {
  const now = performance.now();
  if (now !== last) steps.push(now - last);
  last = now;
}
steps.length > 0 && steps.every((step) => step > 0.99);
