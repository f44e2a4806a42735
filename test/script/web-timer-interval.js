// expect: value [3,"stopped"]
let count = 0;
await new Promise((resolve) => {
  const id = setInterval(() => { if (++count === 3) { clearInterval(id); resolve(); } }, 1);
});
await sleep(10);
[count, "stopped"];
