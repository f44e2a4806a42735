// expect: value ["number",true]
const a = performance.now();
await sleep(5);
[typeof a, performance.now() > a];
