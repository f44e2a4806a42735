// How a pool of two threads is measured, the same for Vow and its peers. A pool is
//   run(name, argument)       a promise of the task of tasks.mjs
//   runFor(name, argument)    the same with a deadline of its own; Vow only
//   cancellable(name)         {promise, cancel()}
// What is found goes to standard output as lines of JSON.
import {fib20, loop} from './tasks.mjs';

const LIVE = 64;
const RESULTS = 1000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Ends the program when a result is wrong: its time would be worth nothing. */
function expect(value, expected) {
  if (value !== expected)
    throw new Error(`wrong result: ${String(value)} instead of ${String(expected)}`);
}

/** Microseconds of tasks that run one after the other for `ms` milliseconds. */
async function oneByOne(pool, name, expected, ms) {
  const samples = [];
  const end = performance.now() + ms;
  let before, now;
  do {
    before = performance.now();
    expect(await pool.run(name), expected);
    now = performance.now();
    samples.push((now - before) * 1000);
  } while (now < end);
  const sorted = Float64Array.from(samples).sort();
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  return {median: at(0.5), p99: at(0.99), count: sorted.length};
}

/** Tasks per second with LIVE of them always in flight, until `isOver(count)`. */
async function window(task, isOver) {
  let count = 0;
  const work = async () => {
    while (!isOver(count)) {
      count++;
      await task();
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({length: LIVE}, work));
  return count * 1000 / (performance.now() - start);
}

/** The same with LIVE of them begun together, and then the next LIVE. */
async function waves(task, isOver) {
  let count = 0;
  const start = performance.now();
  for (; !isOver(count); count += LIVE)
    await Promise.all(Array.from({length: LIVE}, task));
  return count * 1000 / (performance.now() - start);
}

/** The quicker of the two ways counts: messages that go together suit some. Warmed up
 * first, until a just-in-time compiler has seen the way of a message. */
async function perSecond(task, ms) {
  const during = (way, time) => {
    const end = performance.now() + time;
    return way(task, () => performance.now() >= end);
  };
  await during(window, ms / 2);
  await during(waves, ms / 2);
  return Math.max(await during(window, ms), await during(waves, ms));
}

async function rowsPerSecond(pool) {
  const task = async () => expect((await pool.run('rows')).length, 100);
  const times = (way, most) => way(task, (count) => count >= most);
  await times(window, RESULTS / 2);
  return Math.max(await times(window, RESULTS), await times(waves, RESULTS));
}

async function figures(pool) {
  await oneByOne(pool, 'empty', undefined, 150);
  const empty = await oneByOne(pool, 'empty', undefined, 200);
  const perS = await perSecond(() => pool.run('empty'), 100);
  const deadlinePerS = pool.runFor && await perSecond(() => pool.runFor('empty'), 100);
  await oneByOne(pool, 'fib20', fib20.result, 30);
  const fib = await oneByOne(pool, 'fib20', fib20.result, 70);
  await oneByOne(pool, 'loop', loop.result, 30);
  return {
    empty_us: empty.median, empty_p99_us: empty.p99, empty_per_s: perS,
    ...(pool.runFor ? {empty_with_deadline_per_s: deadlinePerS} : {}),
    fib20_us: fib.median, loop_us: (await oneByOne(pool, 'loop', loop.result, 70)).median,
    rows_per_s: await rowsPerSecond(pool),
  };
}

/** All threads busy at once, so that each of them is there. */
const wake = (pool, threads, ms) =>
  Promise.all(Array.from({length: threads}, () => pool.run('nap', ms)));

/** Cancels a loop while a neighbour naps and 3 tasks wait. Who measures from outside
 * when the processor is idle begins at the time told here. */
async function cancel(pool) {
  await wake(pool, 2, 20);
  const endless = pool.cancellable('spin');
  const neighbour = pool.run('nap', 300).then((value) => value === 'awake', () => false);
  let done = 0;
  const queued = [1, 2, 3].map(() => pool.run('empty').then(() => { done++; }, () => undefined));
  console.log(JSON.stringify({cancelling: true}));
  await pause(100); // the loop cannot tell that it runs
  const rejected = endless.promise.then(() => { throw new Error('the loop ended'); },
                                        () => performance.now());
  const at = Date.now(), start = performance.now();
  endless.cancel();
  const cancelMs = await rejected - start;
  const survived = await Promise.race([neighbour, pause(1000).then(() => false)]);
  await Promise.race([Promise.all(queued), pause(500)]);
  return {cancel_ms: cancelMs, cancelled_at: at, neighbour: survived, queued: done};
}

/** Does what MODE says with the pool that `open(threads)` gives. */
export async function measure(mode, threads, open) {
  const pool = open(threads);
  switch (mode) {
  case 'figures':
    console.log(JSON.stringify(await figures(pool)));
    break;
  case 'first':
    expect(await pool.run('empty'), undefined);
    break;
  case 'cancel':
    console.log(JSON.stringify(await cancel(pool)));
    await pause(20000); // ended from outside
    break;
  case 'idle':
    await wake(pool, threads, 50);
    console.log(JSON.stringify({threads}));
    await pause(20000); // ended from outside
    break;
  default:
    throw new Error(`no mode ${mode}`);
  }
}
