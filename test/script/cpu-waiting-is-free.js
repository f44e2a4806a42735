// args: --cpu-ms 1000
// expect: value "slept"
await sleep(1200);
"slept";
