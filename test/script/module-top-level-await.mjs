// expect: value [1,2]
const first = await Promise.resolve(1);
await sleep(1);
export default [first, 2];
