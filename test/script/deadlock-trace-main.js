// expect: error deadlock
// stack: at main (deadlock-trace-main.js:7:
// seconds: 2
async function main() {
  let open;
  const gate = new Promise((resolve) => { open = resolve; });
  await gate;
  open();
}
