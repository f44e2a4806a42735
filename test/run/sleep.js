// stdout: true
const start = performance.now();
await sleep(20);
console.log(performance.now() - start >= 19);
