// expect: limit operations
await Promise.all(Array.from({ length: 1001 }, () => sleep(20000)));
