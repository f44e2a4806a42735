// args: --cpu-ms 200 --memory-mib 256
// expect: limit
// leaks: timer
// More jobs in every round: time or memory ends it.
const fork = () => { Promise.resolve().then(fork); Promise.resolve().then(fork); };
fork();
await sleep(10000);
