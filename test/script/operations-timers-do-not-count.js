// args: --max-ops 1
// expect: value 20
let i = 0;
for (; i < 20; i++) await sleep(0);
i;
