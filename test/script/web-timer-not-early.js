// expect: value true
const begun = performance.now();
await sleep(50);
const passed = performance.now() - begun;
passed >= 49 && passed < 1000;
