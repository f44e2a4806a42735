// stdout: 50000
let fired = 0;
for (let i = 0; i < 50000; i++) setTimeout(() => { fired++; }, i % 10);
setTimeout(() => console.log(fired), 200);
