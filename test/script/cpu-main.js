// args: --cpu-ms 200
// expect: limit cpu
async function main() {
  await sleep(1);
  for (;;);
}
