// expect: value 2
for (let i = 0; i < 3; i++) i;
