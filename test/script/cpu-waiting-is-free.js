// args: --cpu-ms 100
// expect: value "slept"
await sleep(400);
"slept";
