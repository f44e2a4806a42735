// expect: value 5000
// Only those that are live at once count.
let i = 0;
for (; i < 5000; i++) clearTimeout(setTimeout(() => {}, 20000));
i;
