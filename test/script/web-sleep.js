// expect: value [null,true]
const result = await sleep(5);
[result, sleep(0) instanceof Promise];
