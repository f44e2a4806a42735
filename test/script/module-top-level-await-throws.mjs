// expect: error script RangeError
// message: at the top
await sleep(1);
throw new RangeError("at the top");
export default 1;
