// expect: value 3
// The script is evaluated to its end before main is called.
let ready = 1;
async function main() { return ready; }
await sleep(1);
ready = 3;
