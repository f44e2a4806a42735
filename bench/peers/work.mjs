// The work that every sandbox gets, and how it is timed. The sources are those
// of bench/sandbox_runs.c.
import {readFileSync, writeSync} from 'node:fs';

export const threeCalls = `(async () => {
  const a = await op('n1');
  const b = await Promise.all([op('n2'), op('n3')]);
  return JSON.stringify([a, ...b]);
})()`;
export const threeNotes = '["note","note","note"]';

const fib = `function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
fib(27)`;
const properties = `const o = {sum: 0, step: 1};
for (let i = 0; i < 1000000; i++) o.sum = o.sum + o.step;
o.sum`;

export const memoryLimit = 64 * 1024 * 1024;
export const stackLimit = 192 * 1024;
/** Waiting sandboxes held at once. */
export const crowd = 500;

/** Those of bench/load_notes.c. */
export const notes = 1000;
/** As lines for `vow notes put`. */
export function noteLines() {
  const note = (i) => ({id: `n${i}`, title: `title ${i}`, body: 'word '.repeat(40),
                        tags: ['bench', `n${i % 10}`]});
  return Array.from({length: notes}, (_, i) => JSON.stringify(note(i)) + '\n').join('');
}

/** Ends the program when a result is wrong: its time would be worth nothing. */
export function expect(value, expected) {
  if (value !== expected)
    throw new Error(`wrong result: ${String(value)} instead of ${String(expected)}`);
}

/** Microseconds per call of `run`, over at least `ms` milliseconds. */
async function timed(run, ms) {
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

const atOnce = (settle) => settle();
const later = (settle) => setImmediate(settle);

/** Warmed up first, until V8 has compiled what it will: that takes seconds. */
export async function freshFigures(threeCalls, ms) {
  await timed(() => threeCalls(later), 2 * ms);
  await timed(() => threeCalls(atOnce), ms);
  return {
    fresh_3_calls_later_us: await timed(() => threeCalls(later), ms),
    fresh_3_calls_us: await timed(() => threeCalls(atOnce), ms),
  };
}

function medianMs(run) {
  const times = [];
  for (let i = 0; i < 5; i++) {
    const start = process.hrtime.bigint();
    run();
    times.push(Number(process.hrtime.bigint() - start) / 1e6);
  }
  return times.sort((a, b) => a - b)[2];
}

export function loopFigures(evaluate) {
  return {
    fib27_ms: medianMs(() => evaluate(fib, 196418)),
    properties_ms: medianMs(() => evaluate(properties, 1000000)),
  };
}

export function residentKib() {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
}

/** Writes the figures and ends the process, whatever is still open. */
export function print(figures) {
  writeSync(1, JSON.stringify(figures) + '\n');
  process.exit(0);
}
