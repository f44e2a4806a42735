// expect: value 1000
// leaks: timer*100
for (let i = 0; i < 1000; i++) setTimeout(() => {}, 20000);
1000;
