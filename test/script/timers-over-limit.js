// expect: limit operations
// leaks: timer*100
for (let i = 0; i < 1001; i++) setTimeout(() => {}, 20000);
1;
