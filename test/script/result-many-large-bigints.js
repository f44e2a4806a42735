// args: --result-kib 65536
// expect: limit
// seconds: 10
// Making text of them takes time with the square of their length: bounded.
const n = 10n ** 300000n;
Array.from({ length: 200 }, () => n);
