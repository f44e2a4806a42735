// expect: limit operations
// leaks: timer*100
await Promise.all(Array.from({ length: 1001 }, () => sleep(20000)));
