// Deferred beside pools of worker threads, in one run: alternating rounds, each
// pinned to one core and free, medians and ranges.
//   node bench/peers/deferred.mjs BUILD [ROUNDS [NAME,...]]
// BUILD is the build folder; `bench/peers/run.sh` has installed the peers into
// BUILD/peers. The names leave out all other participants. Prints tables, and writes
// BUILD/bench-deferred.json.
import {execFileSync, spawn} from 'node:child_process';
import {copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {createInterface} from 'node:readline';
import {fileURLToPath} from 'node:url';
import {describeMachine, median, number} from './figures.mjs';

const [folder = 'build', rounds = '5', names] = process.argv.slice(2);
const build = resolve(folder);
const peers = join(build, 'peers');
const here = dirname(fileURLToPath(import.meta.url));
const ROUNDS = Math.max(1, Number(rounds) || 5);
/** Cancels and memory vary less, and take longer. */
const SLOW_ROUNDS = Math.min(3, ROUNDS);
const STARTS = '15';
const PROGRAM_MS = 60000;
/** Idle workers whose memory is compared with that of one. */
const CROWD = 9;
const STEP_MS = 1, QUIET_MS = 10, SPIN_MS = 2500;
const places = {pinned: ['taskset', '-c', '0'], free: []};
const env = {...process.env, DENO_NO_UPDATE_CHECK: '1', DENO_DIR: join(peers, 'deno')};

const vow = (threads, mode) =>
  [join(build, 'release/vow'), 'run', '--workers', String(threads), join(here, '../deferred.js'),
   mode, String(threads)];
const pool = (runtime, kind) => (threads, mode) =>
  [...runtime, join(peers, 'pools.mjs'), kind, mode, String(threads)];
const node = [process.execPath];
const participants = [
  {name: 'vow', text: 'vow, Deferred', command: vow},
  {name: 'piscina', text: 'piscina', command: pool(node, 'piscina')},
  {name: 'tinypool', text: 'tinypool', command: pool(node, 'tinypool')},
  {name: 'workerpool', text: 'workerpool', command: pool(node, 'workerpool')},
  {name: 'node', text: 'node, kept workers', command: pool(node, 'kept')},
  {name: 'bun', text: 'bun, kept workers',
   command: pool([join(peers, 'node_modules/@oven/bun-linux-x64/bin/bun')], 'kept')},
  {name: 'deno', text: 'deno, kept workers',
   command: pool([join(peers, 'node_modules/@deno/linux-x64-glibc/deno'), 'run', '-A'], 'kept')},
].filter(({name}) => !names || names.split(',').includes(name));

function fail(text) {
  console.error(`bench-deferred: ${text}`);
  process.exit(2);
}

// ---- processes ----

function run(command) {
  return execFileSync(command[0], command.slice(1),
                      {encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], env,
                       timeout: PROGRAM_MS, killSignal: 'SIGKILL'});
}

/** A program that tells in lines what it finds and is ended from here. */
class Watched {
  constructor(command) {
    this.command = command;
    this.child = spawn(command[0], command.slice(1), {stdio: ['ignore', 'pipe', 'inherit'], env});
    this.ended = new Promise((resolve) => this.child.once('close', resolve));
    this.lines = createInterface({input: this.child.stdout})[Symbol.asyncIterator]();
    this.limit = setTimeout(() => this.child.kill('SIGKILL'), PROGRAM_MS);
  }

  get pid() { return this.child.pid; }

  async line() {
    const {value, done} = await this.lines.next();
    if (done)
      fail(`it ended too early: ${this.command.join(' ')}`);
    return JSON.parse(value);
  }

  async end() {
    clearTimeout(this.limit);
    this.child.kill('SIGKILL');
    await this.ended;
  }
}

/** What `read` gives; undefined when the process or thread has ended meanwhile. */
function ofLiving(read) {
  try {
    return read();
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'ESRCH')
      throw error;
    return undefined;
  }
}

/** Whether any thread of a process runs, or would if it had a core. */
function isBusy(pid) {
  const threads = ofLiving(() => readdirSync(`/proc/${pid}/task`)) ?? [];
  return threads.some((thread) => {
    const stat = ofLiving(() => readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1'));
    return stat !== undefined && stat[stat.lastIndexOf(')') + 2] === 'R';
  });
}

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const clock = () => performance.timeOrigin + performance.now();

/** Where `samples` are quiet for QUIET_MS, but for one: a wake-up is no spinning. */
function quietSince(samples) {
  for (let i = 0; i < samples.length; i++) {
    const end = samples[i].at + QUIET_MS;
    let at = i, busy = 0;
    for (; at < samples.length && samples[at].at <= end && busy <= 1; at++)
      busy += samples[at].busy;
    if (at === samples.length)
      return undefined; // not known yet
    if (!samples[i].busy && busy <= 1)
      return samples[i].at;
  }
  return undefined;
}

/** Milliseconds from the cancel until the process spins no more; SPIN_MS at most. */
async function idleAfter(program, result) {
  const samples = [];
  let told;
  result.then(({cancelled_at: at}) => { told = at; });
  for (;;) {
    samples.push({at: clock(), busy: Number(isBusy(program.pid))});
    await wait(STEP_MS);
    if (told === undefined)
      continue;
    const since = quietSince(samples.filter(({at}) => at >= told));
    if (since !== undefined)
      return Math.min(SPIN_MS, since - told);
    if (clock() - told > SPIN_MS)
      return SPIN_MS;
  }
}

async function cancel(command) {
  const program = new Watched(command);
  await program.line();
  const result = program.line();
  const idle = await idleAfter(program, result);
  const {cancel_ms, neighbour, queued} = await result;
  await program.end();
  return {cancel_ms, idle_ms: idle, neighbour, queued};
}

async function privateKib(command) {
  const program = new Watched(command);
  await program.line();
  await wait(50); // what a thread does at last is done
  const text = readFileSync(`/proc/${program.pid}/smaps_rollup`, 'latin1');
  await program.end();
  const parts = [...text.matchAll(/^Private_\w+:\s+(\d+)/gm)];
  return parts.reduce((sum, [, kib]) => sum + Number(kib), 0);
}

// ---- rounds ----

/** results[name][place] is a list of figures, one set for each round. */
const results = Object.fromEntries(participants.map(({name}) =>
  [name, {pinned: [], free: [], memory: [], start: {}}]));

async function round(index) {
  const slow = index < SLOW_ROUNDS;
  for (const {name, command} of participants) {
    for (const [place, prefix] of Object.entries(places)) {
      const figures = JSON.parse(run([...prefix, ...command(2, 'figures')]));
      if (slow)
        Object.assign(figures, await cancel([...prefix, ...command(2, 'cancel')]));
      results[name][place].push(figures);
    }
    if (slow)
      results[name].memory.push((await privateKib(command(CROWD, 'idle')) -
                                 await privateKib(command(1, 'idle'))) / (CROWD - 1));
  }
}

function starts() {
  for (const [place, prefix] of Object.entries(places)) {
    const commands = participants.flatMap(({command}, i) =>
      [...(i ? ['--'] : []), ...command(1, 'first')]);
    const lines = run([...prefix, join(build, 'release/bench_start'), STARTS, ...commands]);
    lines.trim().split('\n').forEach((line, i) => {
      const {ms, least_ms, most_ms, peak_kib} = JSON.parse(line);
      results[participants[i].name].start[place] =
        {ms, least_ms, most_ms, peak_mib: peak_kib / 1024};
    });
  }
}

// ---- the tables ----

const figuresOf = (name, place, key) =>
  results[name][place].map((figures) => figures[key]).filter((value) => value !== undefined);

function spread(values, format = number) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const text = format(median(values));
  return least === most ? text : `${text} (${format(least)}..${format(most)})`;
}

/** Columns are [heading, (name) => text]. */
function printTable(title, columns) {
  const row = (text, cells) => [text, ...cells];
  const lines = [row('', columns.map(([heading]) => heading)),
                 ...participants.map(({name, text}) =>
                   row(text, columns.map(([, cell]) => cell(name))))];
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  console.log(`\n${title}`);
  for (const line of lines)
    console.log(line.map((text, i) => text.padEnd(widths[i])).join('  ').trimEnd());
}

/** A column for each place. */
const both = (heading, key, format) => Object.keys(places).map((place) =>
  [heading ? `${heading}, ${place}` : place,
   (name) => spread(figuresOf(name, place, key), format)]);
const thousands = (value) => `${number(value / 1000)}k`;
const upToSpin = (value) => value >= SPIN_MS ? `> ${SPIN_MS}` : number(value);

function printTables() {
  printTable('one empty task at a time, us', [...both('median', 'empty_us'),
                                              ...both('p99', 'empty_p99_us')]);
  printTable('empty tasks, 64 in flight on 2 threads, tasks/s', both('', 'empty_per_s', thousands));
  if (results.vow)
    for (const place of Object.keys(places))
      console.log(`  vow, each with a deadline of its own, ${place}: ` +
                  spread(figuresOf('vow', place, 'empty_with_deadline_per_s'), thousands));
  printTable('computing, one task at a time, us: just-in-time compilers win here',
             [...both('fib(20)', 'fib20_us'), ...both('100,000 turns', 'loop_us')]);
  const idle = ['KiB of a worker', (name) => spread(results[name].memory)];
  printTable('1,000 tasks that return 10 KB each, 64 in flight, tasks/s; memory of an idle worker',
             [...both('', 'rows_per_s', thousands), idle]);
  const start = (place, cell) => (name) => cell(results[name].start[place]);
  const wall = ({ms, least_ms: least, most_ms: most}) =>
    `${number(ms)} (${number(least)}..${number(most)})`;
  printTable('process start to first result to exit, 1 thread', [
    ['ms, pinned', start('pinned', wall)], ['ms, free', start('free', wall)],
    ['peak MiB, pinned', start('pinned', ({peak_mib: mib}) => number(mib))],
    ['peak MiB, free', start('free', ({peak_mib: mib}) => number(mib))]]);
  const least = (name, key) =>
    Math.min(...Object.keys(places).flatMap((place) => figuresOf(name, place, key)).map(Number));
  printTable('an endless loop is cancelled: ms to the rejection, ms until no thread spins', [
    ...both('rejected', 'cancel_ms'), ...both('quiet', 'idle_ms', upToSpin),
    ['neighbour', (name) => least(name, 'neighbour') === 1 ? 'survives' : 'LOST'],
    ['queued done', (name) => `${least(name, 'queued')} of 3`]]);
}

// ---- targets ----

const targets = [];

/** `values` and what they are measured against, by round; `bound` is that of the ratio,
 * or of the value where there is no peer. */
function target(text, values, bound, theirs) {
  const ratios = theirs ? values.map((value, i) => value / theirs[i]) : values;
  const ratio = median(ratios);
  const met = bound.most !== undefined ? ratio <= bound.most : ratio >= bound.least;
  targets.push({text, ours: median(values), theirs: theirs && median(theirs), ratios, bound, met});
}

const has = (...wanted) => wanted.every((name) => results[name]);

function against(text, place, key, name, bound) {
  if (has('vow', name))
    target(`${text}, ${place}: ${name}`, figuresOf('vow', place, key), bound,
           figuresOf(name, place, key));
}

function startTargets() {
  const of = (name, key) => [results[name].start.free[key]];
  if (has('vow', 'piscina')) {
    target('first result: piscina', of('vow', 'ms'), {most: 1 / 5}, of('piscina', 'ms'));
    target('  its peak memory: piscina', of('vow', 'peak_mib'), {most: 1 / 5},
           of('piscina', 'peak_mib'));
  }
  if (has('vow', 'bun'))
    target('first result: bun', of('vow', 'ms'), {most: 1}, of('bun', 'ms'));
}

function setTargets() {
  for (const key of ['empty_us', 'empty_p99_us']) {
    const text = key === 'empty_us' ? 'one empty task' : '  its p99';
    against(text, 'pinned', key, 'piscina', {most: 1 / 2});
    against(text, 'pinned', key, 'bun', {most: 1});
  }
  against('64 in flight', 'free', 'empty_per_s', 'piscina', {least: 4});
  against('64 in flight', 'free', 'empty_per_s', 'node', {least: 1});
  const others = participants.filter(({name}) => name !== 'vow').map(({name}) => name);
  if (has('vow') && others.length > 0) {
    const best = results.vow.free.map((_, i) =>
      Math.max(...others.map((name) => results[name].free[i].rows_per_s)));
    target('10 KB results, free: the best of them', figuresOf('vow', 'free', 'rows_per_s'),
           {least: 1}, best);
  }
  startTargets();
  if (!has('vow'))
    return;
  for (const place of Object.keys(places)) {
    const own = (key) => figuresOf('vow', place, key).map(Number);
    target(`cancel to rejection, ${place}, ms`, own('cancel_ms'), {most: 2});
    target(`cancel to no thread spinning, ${place}, ms`, own('idle_ms'), {most: 10});
    target(`queued tasks done, ${place}`, [Math.min(...own('queued'))], {least: 3});
    target(`neighbour survives, ${place}`, [Math.min(...own('neighbour'))], {least: 1});
  }
}

function printTargets() {
  if (targets.length === 0)
    return;
  const ratio = (value) => value < 1 && value > 0 ? `1/${number(1 / value)}` : number(value);
  const line = (text, ours, theirs, range, limit) =>
    console.log(`${text.padEnd(42)}${ours.padStart(9)} ${theirs.padStart(9)}  ` +
                `${range.padEnd(26)}${limit}`);
  console.log();
  line('targets: ours against', 'ours', 'theirs', 'ratio (least..most)', 'target');
  for (const {text, ours, theirs, ratios, bound, met} of targets) {
    const format = theirs === undefined ? number : ratio;
    const limit = bound.most === undefined ? `>= ${bound.least}` :
      bound.most < 1 ? `<= 1/${Math.round(1 / bound.most)}` : `<= ${bound.most}`;
    line(text, number(ours), number(theirs), spread(ratios, format),
         `${limit} ${met ? 'met' : 'MISSED'}`);
  }
}

if (participants.length === 0)
  fail(`no participant is named ${names}`);
if (!existsSync(join(peers, 'node_modules/piscina')))
  fail(`${peers} has no piscina; run: make bench-peers`);
for (const name of ['pools.mjs', 'measure.mjs', 'tasks.mjs', 'worker_kept.mjs', 'worker_pool.mjs'])
  copyFileSync(join(here, name), join(peers, name));
const {machine, done} = describeMachine();
for (let i = 0; i < ROUNDS; i++) {
  process.stderr.write(`Deferred, round ${i + 1} of ${ROUNDS}\n`);
  await round(i);
}
process.stderr.write('Deferred, starts of processes\n');
starts();
done();
printTables();
setTargets();
printTargets();
const out = join(build, 'bench-deferred.json');
writeFileSync(out, JSON.stringify({machine, targets, results}, null, 1) + '\n');
console.log(`\nwritten: ${out}`);
