// expect: value [1,1]
let reads = 0;
const result = await { get then() { reads++; return (resolve) => resolve(1); } };
[result, reads];
