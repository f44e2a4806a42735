// Vow and its peers in one run: alternating rounds, medians, ratios per round.
//   node compare.mjs BUILD_DIR PEERS_DIR OUT.json [ROUNDS]
// BUILD_DIR holds the release build, PEERS_DIR the installed peers with copies
// of the programs beside this one. Prints a table.
import {execFileSync} from 'node:child_process';
import {existsSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {describeMachine, median, number} from './figures.mjs';
import {noteLines} from './work.mjs';

const [build, peers, out, rounds = '5'] = process.argv.slice(2);
const ROUNDS = Math.max(5, Number(rounds) || 0);
const MILLISECONDS = '1000';
const STARTS = '31';
const isolated = join(peers, 'isolated-vm');
const hasIsolated = existsSync(join(isolated, 'installed'));
const sqlite = join(peers, 'better-sqlite3');
const hasSqlite = existsSync(join(sqlite, 'installed'));
const database = join(sqlite, 'notes.db');

function run(command, args, options = {}) {
  return execFileSync(command, args, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'],
                                      maxBuffer: 1 << 24, ...options});
}

function ours(group, repeats, program = 'bench_sandbox') {
  const text = run(join(build, program),
                   ['--json', '--only', group, '--repeats', String(repeats)]);
  return JSON.parse(text).figures;
}

function medians(figures) {
  return Object.fromEntries(Object.entries(figures).map(([key, figure]) => [key, figure.median]));
}

const node = (folder, ...args) => JSON.parse(run(process.execPath, args, {cwd: folder}));
const quickjs = (variant) => node(peers, 'quickjs.mjs', variant, MILLISECONDS);

/** Each participant once: the differences between rounds are the machine's. */
function round() {
  const wasm = {...medians(ours('fresh', 1)), ...medians(ours('loops', 3)),
                ...medians(ours('notes', 3, 'bench_load'))};
  return {
    vow: wasm,
    quickjs: quickjs('@jitl/quickjs-wasmfile-release-sync'),
    ng: quickjs('@jitl/quickjs-ng-wasmfile-release-sync'),
    isolated: hasIsolated ? node(isolated, 'isolated.mjs', MILLISECONDS) : null,
    sqlite: hasSqlite ? node(sqlite, 'notes.mjs', database, MILLISECONDS) : null,
  };
}

/** A database of Vow's, for the peer that only reads it. */
function fillDatabase() {
  const lines = join(sqlite, 'notes.jsonl');
  for (const end of ['', '-wal', '-shm'])
    rmSync(database + end, {force: true});
  writeFileSync(lines, noteLines());
  run(join(build, 'vow'), ['notes', 'put', '--db', `sqlite:${database}`, '--file', lines]);
}

/** Processes that do `1+1`; each peer in the form that is quickest for it. */
function startUp() {
  const source = join(peers, 'one.js');
  writeFileSync(source, '1+1\n');
  const commands = {
    vow: [join(build, 'vow'), 'eval', source],
    node: [process.execPath, source],
    bun: [join(peers, 'node_modules/@oven/bun-linux-x64/bin/bun'), source],
    deno: [join(peers, 'node_modules/@deno/linux-x64-glibc/deno'), 'run', source],
  };
  const args = Object.values(commands).flatMap((command, i) => i ? ['--', ...command] : command);
  const lines = run(join(build, 'bench_start'), [STARTS, ...args], {
    env: {...process.env, DENO_NO_UPDATE_CHECK: '1', DENO_DIR: join(peers, 'deno')},
  });
  const results = lines.trim().split('\n').map((line) => JSON.parse(line));
  return Object.fromEntries(Object.keys(commands).map((name, i) => [name, results[i]]));
}

// ---- the table ----

const rows = [];

/** One line: ours, theirs, and ours divided by theirs; `most` is the target. */
function compare(text, unit, own, theirs, most) {
  const ratios = own.map((value, i) => value / theirs[i]);
  const ratio = median(ratios);
  rows.push({
    text, unit, ours: median(own), theirs: median(theirs), ratio,
    ratio_least: Math.min(...ratios), ratio_most: Math.max(...ratios),
    ...(most ? {ratio_at_most: most, met: ratio <= most} : {}),
  });
}

function own(text, figure) {
  const {median: value, unit, at_most: atMost, at_least: atLeast, met} = figure;
  rows.push({text, unit, ours: value, at_most: atMost, at_least: atLeast, met});
}

function target({ratio_at_most: ratio, at_most: most, at_least: least, met}) {
  if (met === undefined)
    return '';
  const text = ratio ? `<= ${ratio === 1 ? 1 : `1/${Math.round(1 / ratio)}`}` :
    most ? `<= ${most}` : `>= ${least}`;
  return `${text} ${met ? 'met' : 'MISSED'}`;
}

function spread({ratio, ratio_least: least, ratio_most: most}) {
  if (ratio === undefined)
    return '';
  const text = (value) => value < 1 ? `1/${number(1 / value)}` : number(value);
  return least === most ? text(ratio) : `${text(ratio)} (${text(least)}..${text(most)})`;
}

function printTable() {
  console.log(`\n${'ours against'.padEnd(52)} ${'ours'.padStart(9)} ${'theirs'.padStart(9)} ` +
              `${'unit'.padEnd(6)} ${'ratio (least..most)'.padEnd(26)} target`);
  for (const row of rows)
    console.log(`${row.text.padEnd(52)} ${number(row.ours).padStart(9)} ` +
                `${number(row.theirs).padStart(9)} ${row.unit.padEnd(6)} ` +
                `${spread(row).padEnd(26)} ${target(row)}`);
}

const {machine, done} = describeMachine();
const results = [];
fillDatabase();
for (let i = 0; i < ROUNDS; i++) {
  process.stderr.write(`round ${i + 1} of ${ROUNDS}\n`);
  results.push(round());
}
process.stderr.write('starts of processes\n');
const starts = startUp();
process.stderr.write('waiting sandboxes, shards, spinning neighbours\n');
const memory = ours('memory', 1), shards = ours('shards', 7), fair = ours('fair', 1);
done();

const of = (who, key) => results.map((result) => result[who][key]);
const vow = (key) => of('vow', key);
compare('fresh run, 3 calls by the loop: quickjs-emscripten', 'us', vow('fresh_3_calls_later_us'),
        of('quickjs', 'fresh_3_calls_later_us'), 1 / 8);
compare('  answered at once', 'us', vow('fresh_3_calls_us'), of('quickjs', 'fresh_3_calls_us'));
compare('  its variant with QuickJS-ng', 'us', vow('fresh_3_calls_later_us'),
        of('ng', 'fresh_3_calls_later_us'));
if (hasIsolated)
  compare('  isolated-vm', 'us', vow('fresh_3_calls_later_us'),
          of('isolated', 'fresh_3_calls_later_us'), 1 / 30);
for (const [key, text] of [['fib27', 'fib(27)'], ['properties', '1e6 property updates']]) {
  compare(`${text}: native QuickJS-ng`, 'ms', vow(`${key}_wasm_ms`), vow(`${key}_native_ms`));
  compare('  quickjs-emscripten', 'ms', vow(`${key}_wasm_ms`), of('quickjs', `${key}_ms`));
  compare('  its variant with QuickJS-ng', 'ms', vow(`${key}_wasm_ms`), of('ng', `${key}_ms`));
  if (hasIsolated)
    compare('  isolated-vm (JIT)', 'ms', vow(`${key}_wasm_ms`), of('isolated', `${key}_ms`));
}
if (hasSqlite) {
  const gets = of('sqlite', 'notes_get_per_s');
  compare('notes.get a second, 100 at once: better-sqlite3', '1/s', vow('notes_get_together_per_s'),
          gets);
  compare('  awaited one by one, both of them', '1/s', vow('notes_get_per_s'),
          of('sqlite', 'notes_get_awaited_per_s'));
}
const waiting = results.map(() => memory.waiting_kib.median);
compare('memory of a waiting sandbox: quickjs-emscripten', 'KiB', waiting,
        of('quickjs', 'waiting_kib'));
if (hasIsolated)
  compare('  isolated-vm', 'KiB', waiting, of('isolated', 'waiting_kib'));
const fastest = Math.min(starts.node.ms, starts.bun.ms, starts.deno.ms);
for (const name of ['bun', 'deno', 'node'])
  compare(`process that does 1+1: ${name}`, 'ms', [starts.vow.ms], [starts[name].ms],
          starts[name].ms === fastest ? 1 : undefined);
for (const name of ['bun', 'deno', 'node'])
  compare(`  its peak memory: ${name}`, 'MiB', [starts.vow.peak_kib / 1024],
          [starts[name].peak_kib / 1024]);
own('2 shards on 2 threads: work against 1 shard', shards.two_shards_ratio);
own('memory of each of 2,000 waiting runs', memory.waiting_kib);
own('  after recursion 400 deep', memory.waiting_deep_kib);
own('1 ms run beside 8 spinning ones: p99', fair.short_beside_8_p99_ms);

printTable();
for (const [name, folder, has] of [['isolated-vm', isolated, hasIsolated],
                                   ['better-sqlite3', sqlite, hasSqlite]])
  if (!has)
    console.log(`\n${name} is not installed here: ` +
                readFileSync(join(folder, 'why'), 'utf8').trim());
writeFileSync(out, JSON.stringify({machine, rows, rounds: results, starts}, null, 1) + '\n');
console.log(`\nwritten: ${out}`);
