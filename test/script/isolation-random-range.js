// expect: value true
let fine = true;
const seen = new Set();
for (let i = 0; i < 1000; i++) { const n = Math.random(); fine &&= n >= 0 && n < 1; seen.add(n); }
fine && seen.size > 990;
