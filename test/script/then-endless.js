// args: --cpu-ms 200
// expect: limit cpu
const again = { then(resolve) { resolve(again); } };
await again;
