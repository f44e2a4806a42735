// args: --cpu-ms 200
// expect: limit cpu
for (const x of { [Symbol.iterator]: () => ({ next: () => ({ done: false, value: 1 }) }) }) x;
