// expect: value [null,true]
// leaks: timer
const result = await sleep(5);
[result, sleep(0) instanceof Promise];
