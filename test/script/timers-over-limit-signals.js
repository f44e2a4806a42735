// expect: limit operations
// leaks: timer*100
const kept = [];
for (;;) kept.push(AbortSignal.timeout(20000));
