// expect: limit operations
const kept = [];
for (;;) kept.push(AbortSignal.timeout(20000));
