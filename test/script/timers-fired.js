// expect: value 3000
let fired = 0;
for (let round = 0; round < 3; round++)
  await Promise.all(Array.from({ length: 1000 }, () => sleep(0).then(() => fired++)));
fired;
