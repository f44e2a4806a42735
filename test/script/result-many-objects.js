// expect: limit result
Array.from({ length: 300000 }, () => ({ a: 1 }));
