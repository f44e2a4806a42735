// args: --context '{"ms":2}'
// expect: value "slept 2"
async function main({ ms }) {
  await sleep(ms);
  return `slept ${ms}`;
}
