// args: --cpu-ms 150
// expect: limit cpu
// leaks: timer*
// The time of all turns together counts.
const spin = (ms) => { for (const end = performance.now() + ms; performance.now() < end;); };
for (;;) {
  spin(10);
  await sleep(1);
}
