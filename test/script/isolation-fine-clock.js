// expect: value true
// performance.now goes in steps of a millisecond or more.
const steps = [];
let last = performance.now();
while (steps.length < 20) {
  const now = performance.now();
  if (now !== last) steps.push(now - last);
  last = now;
}
steps.every((step) => step > 0.99);
