// The work that every sandbox gets: the same sources as bench/sandbox_runs.c.
export const threeCalls = `(async () => {
  const a = await op('n1');
  const b = await Promise.all([op('n2'), op('n3')]);
  return JSON.stringify([a, ...b]);
})()`;
export const threeNotes = '["note","note","note"]';

export const fib = `function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
fib(27)`;
export const fibValue = 196418;

export const properties = `const o = {sum: 0, step: 1};
for (let i = 0; i < 1000000; i++) o.sum = o.sum + o.step;
o.sum`;
export const propertiesValue = 1000000;

export const memoryLimit = 64 * 1024 * 1024;
export const stackLimit = 192 * 1024;

/** Ends the program when a result is wrong: its time would be worth nothing. */
export function expect(value, expected) {
  if (value !== expected)
    throw new Error(`wrong result: ${String(value)} instead of ${String(expected)}`);
}

/** Microseconds per call of `run`, over at least `ms` milliseconds. */
export async function timed(run, ms) {
  const start = process.hrtime.bigint();
  const end = start + BigInt(ms) * 1000000n;
  let count = 0, now;
  do {
    await run();
    count++;
    now = process.hrtime.bigint();
  } while (now < end);
  return Number(now - start) / 1e3 / count;
}

/** Milliseconds of one call. */
export function once(run) {
  const start = process.hrtime.bigint();
  run();
  return Number(process.hrtime.bigint() - start) / 1e6;
}
