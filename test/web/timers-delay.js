// Delays are clamped to 0 .. 2^31 - 1 and converted like numbers.
const start = performance.now();
const after = (delay) => new Promise((done) => setTimeout(() => done(performance.now() - start), delay));
const delays = await Promise.all([after(-5), after(NaN), after("7"), after(9.9), after(undefined)]);
same(delays.join(), "0,0,7,9,0");
const long = performance.now();
await new Promise((done) => setTimeout(done, 1e300));
same(performance.now() - long, 2147483647);
