// expect: value [true,true,true,true,true]
const start = performance.now();
const origin = performance.timeOrigin;
const steps = [];
while (steps.length < 3) {
  const now = performance.now();
  if (steps.length === 0 || now !== steps.at(-1)) steps.push(now);
}
const before = performance.now();
const date = Date.now();
const after = performance.now();
[
  start >= 0 && start < 2000,
  steps.every((at) => Number.isInteger(at)),
  steps[0] < steps[1] && steps[1] < steps[2],
  date - origin >= before - 2 && date - origin <= after + 2,
  performance.timeOrigin === origin,
];
