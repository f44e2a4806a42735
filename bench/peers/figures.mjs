// What the tables of the comparisons share.
import os from 'node:os';

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

export const number = (value) => value === undefined ? '' :
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

const load = () => os.loadavg().map((value) => Number(value.toFixed(2)));

/** The machine, as it is before the start; `done()` adds the load after it. */
export function describeMachine() {
  const machine = {cpu: os.cpus()[0].model.trim(), cores: os.cpus().length, kernel: os.release(),
                   node: process.version, load_before: load()};
  console.log(`${machine.cores} cores of ${machine.cpu}, load ${machine.load_before[0]} ` +
              'before the start (figures want an idle machine)');
  return {machine, done: () => { machine.load_after = load(); }};
}
